// What a run that was trained by hand, or elsewhere, becomes in a forest: its recipe, read off its job.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "btm/forest/expert.h"
#include "btm/forest/forest.h"

namespace btm {

// What the job doesn't say, or says otherwise.
struct MergedRun {
  std::filesystem::path run;
  std::string name;                  // "": the run's
  std::vector<std::string> domains;  // whose expert it is; none: those that it was trained on
  std::vector<Parent> parents;  // weights up to a factor, hashes not needed; none: by the hashes of its initial weights
  std::optional<int> cycle;     // none: one after its youngest parent
};

// expert.json of the run, but for the hash of its weights. Its recipe is the one that btm grow would give it where it
// starts from the seed; else its branch is the parents' weights, however they were chosen. Throws Error(input) if the
// run isn't finished, a parent can't be found, parents are named and it is known that the run started from others, or
// the forest has no tokens of a domain that is named.
ExpertInfo expert_of_run(const MergedRun& merged, const Forest& forest);

}  // namespace btm
