// A sample of a domain's text as the experts see it: what priors and branch weights are made from.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "btm/forest/forest.h"
#include "btm/mixture/prior.h"
#include "btm/mixture/score_store.h"

namespace btm {

struct DomainSample {
  std::string domain;
  std::string split = "dev";  // or train
  int sequences = 100;        // of the models' context, from the start of the split; as in the paper, section 4.3
};

// Throws Error(input): no such domain (naming the nearest), a split of fewer than two tokens.
Text read_sample(const Forest& forest, const DomainSample& sample, int window);

// The sample's scores under each of the models, which are all of one context. One model is in memory at a time; scores
// are kept in results/scores/.
Scores score_sample(const Forest& forest, std::span<const Member> members, const DomainSample& sample,
                    const ScoringPlace& place, bool quiet);

// The members' weights that the settings give for a domain; without one (sample.domain empty) for a text of which
// nothing is known. Throws Error(input): no members, settings that need a domain.
MixtureWeights weights_for(const Forest& forest, std::span<const Member> members, const PriorSettings& settings,
                           const DomainSample& sample, const ScoringPlace& place, bool quiet);

}  // namespace btm
