// Weights for averaging experts into one LM for a domain, out of the domain's dev sample.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/mixture/member.h"
#include "btm/mixture/prior.h"
#include "btm/mixture/score_store.h"
#include "btm/mixture/scores.h"
#include "btm/train/text_scorer.h"

namespace btm {

enum class AverageKind {
  uniform,
  argmax,        // the single expert of largest cached prior (Li et al. 2022, section 4.4)
  posterior,     // the cached prior (ibid.)
  em,            // the maximum likelihood weights of a mixture of the experts' distributions
  fitted,        // those that minimise the loss of the averaged model itself
  greedy,        // greedy soup (Wortsman et al. 2022): equal weights of the experts that help, best first
  interpolated,  // between the seed and the em average: one share, fitted
};
inline std::array<std::pair<AverageKind, std::string_view>, 7> names(AverageKind) {
  return {{{AverageKind::uniform, "uniform"},
           {AverageKind::argmax, "argmax"},
           {AverageKind::posterior, "posterior"},
           {AverageKind::em, "em"},
           {AverageKind::fitted, "fitted"},
           {AverageKind::greedy, "greedy"},
           {AverageKind::interpolated, "interpolated"}}};
}

struct AverageFitSettings {
  int budget = 24;     // models averaged and run over the sample, at most (greedy: one per expert)
  ScoringPlace place;  // where they run
};

struct AverageWeights {
  std::vector<double> experts;  // [experts]
  double seed = 0;              // all sum to 1
  double loss = 0;              // of the averaged model on the sample, nats per token; 0: was not run
  int evaluations = 0;          // models run
};

// `dev` are the scores of the experts on `sample`, in whose windows they are. `seed` is used by interpolated, which
// throws Error(input) without one. A sample of less than one window gives the em weights. A function of its arguments:
// nothing is drawn at random. `known` are the shares of `dev`.
AverageWeights average_weights(AverageKind kind, std::span<const Member> experts, const std::optional<Member>& seed,
                               const Text& sample, const Scores& dev, const AverageFitSettings& settings,
                               const KnownShares& known = nullptr);

// The members that the weights are of, seed last where it has one.
Member weighted_average(const std::string& name, std::span<const Member> experts, const std::optional<Member>& seed,
                        const AverageWeights& weights);

}  // namespace btm
