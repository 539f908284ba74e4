// The baselines beside a forest that it has models of.
#pragma once

#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "btm/mixture/member.h"

namespace btm {

struct Comparison {
  std::string name;                // of its folder in comparisons/ and of its row
  std::vector<Member> members;     // named NAME, or NAME/MODEL where there are several: those are mixed as experts are
  std::vector<ExpertInfo> models;  // as members
  bool demix = false;              // the members share all but their feed-forward networks

  bool mixed() const { return members.size() > 1 || demix; }
};

// In the order of their names.
std::vector<Comparison> find_comparisons(const Forest& forest);

// Training behind a row of the results: {"tokens", "updates", "flops", "device_seconds", "updates_per_second",
// "bytes_per_update"}. Updates per second are those of one model's training, on average; left out where the threads of
// one are not known. The last is what the workers of a distributed run would have to add up between them for an update:
// the gradients of all parameters that they share, in float32; experts share none.
Json training_of(const Forest& forest);  // seed, experts and whom they descend from
Json training_of_seed(const Forest& forest);
Json training_of(const Comparison& comparison, const Forest& forest);  // with the seed, if it starts from it

// Models that a row has in memory: of DEMix, the shared part once.
double models_loaded(const Comparison& comparison);

}  // namespace btm
