// Where the weights of a mixture come from: a dev sample of the target domain, never its test text.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/core/settings.h"
#include "btm/mixture/posterior.h"

namespace btm {

enum class PriorKind {
  fitted,    // maximum likelihood on the dev sample: prior by EM, then forgetting factor and evidence from a small grid
  cached,    // the paper's: moving average of the posterior after each dev sequence, then fixed
  uniform,   // needs no dev sample
  updating,  // the cached average carried on along the text itself
};
inline std::array<std::pair<PriorKind, std::string_view>, 4> names(PriorKind) {
  return {{{PriorKind::fitted, "fitted"},
           {PriorKind::cached, "cached"},
           {PriorKind::uniform, "uniform"},
           {PriorKind::updating, "updating"}}};
}

struct PriorSettings {
  PriorKind posterior = PriorKind::fitted;
  std::optional<double> forgetting;  // auto: fitted chooses, the others take 1 (exact Bayes)
};

template <class F>
void visit(PriorSettings& s, F&& f) {
  f("posterior", s.posterior, "prior of a mixture: fitted, cached, uniform or updating");
  f("forgetting", s.forgetting, "g from 0 (last token only) to 1 (exact Bayes); auto: fitted chooses, else 1");
}

std::vector<double> uniform_prior(std::size_t experts);

inline constexpr double kExactBayes = 1;  // forgetting factor of the paper's posterior

// Starts uniform and moves by kPriorStep towards the posterior after each window of the sample (exact Bayes within the
// window for kExactBayes).
std::vector<double> cached_prior(const Scores& sample, double forgetting);

// Which share of the sample's windows each expert explains: the mean of the posteriors at their ends, by exact Bayes
// from a uniform prior. Uniform for an empty sample.
std::vector<double> mean_posterior(const Scores& sample);

// Maximum likelihood weights of a fixed mixture, by EM. Uniform for an empty sample. Throws Error(interrupted), as do
// those below that fit.
std::vector<double> mixture_shares(const Scores& sample);

// Gives the mixture_shares() of a sample from where they are kept: EM takes longer than all else that chooses weights.
using KnownShares = std::function<std::vector<double>()>;

// The same with a share of kPriorFloor spread evenly over the experts, so that none is shut out.
inline constexpr double kPriorFloor = 0.02;
std::vector<double> fitted_prior(const Scores& sample, const KnownShares& known = nullptr);

// The weights that the settings give for a domain with this dev sample.
MixtureWeights choose_weights(const PriorSettings& settings, const Scores& sample, const KnownShares& known = nullptr);

// Sets all but the k largest to 0; k = 0 keeps all.
void keep_largest(std::vector<double>& weights, int k);

// Sets those below kLeastShare of the largest to 0: they would only add a name.
inline constexpr double kLeastShare = 1e-3;
void drop_small(std::vector<double>& weights);

// The k experts of largest prior, in the order of the forest; ties go to the earlier one.
std::vector<int> largest(const std::vector<double>& prior, int k);

}  // namespace btm
