// The baselines of equal training compute: what has to be trained for each (Li et al. 2022, sections 3.2 and 5.1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "btm/forest/forest.h"
#include "btm/plan/jobs.h"
#include "btm/plan/plan.h"

namespace btm {

// Folder in comparisons/ and row of the results: dense, demix, random_split, random_init; dense_from_random,
// demix_from_random.
std::string comparison_name(const ComparisonSettings& settings);

// Together with the seed, where they start from it, they train on as many tokens as seed and experts of the forest
// (dense and demix also as removed experts that others descend from), but for imported experts, whose text isn't here;
// and not on the seed's sequences again (round_after_seed()). `context`: the models' own. None without experts.
//   dense         one model on all domains
//   demix         one DEMix model on all domains
//   random_split  as many models as there are experts, each from the seed, on its deal of all domains' sequences
//   random_init   an expert for each expert, from random weights of its own, with its share of the seed's tokens
std::vector<ModelTask> comparison_tasks(const ComparisonSettings& settings, Forest forest, int context);

// A comparison as far as the forest has it.
struct ComparisonState {
  std::vector<ModelTask> tasks;  // comparison_tasks(), but one model with the compute of more experts stays as it is
  bool outgrown = false;         // its models are for an earlier state of the forest: all are to be trained anew
};
ComparisonState comparison_state(const ComparisonSettings& settings, const Forest& forest, int context);

std::optional<ExpertInfo> published_comparison(const ForestPaths& paths, const ModelTask& task);

}  // namespace btm
