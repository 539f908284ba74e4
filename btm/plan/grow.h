// btm grow: makes everything of a plan that is not there yet.
#pragma once

#include <filesystem>
#include <string>

#include "btm/core/settings.h"
#include "btm/plan/plan.h"

namespace btm {

struct GrowOptions {
  std::filesystem::path program;  // the btm that trains
  bool quiet = false;
  std::vector<std::string> resubmit = {};              // see TrainingPlace
  std::vector<std::filesystem::path> neighbours = {};  // forests to take over from what has an equal recipe
};

struct GrowOutcome {
  bool complete = true;    // false: the rest is up to jobs of the cluster
  int trained = 0;         // models
  bool evaluated = false;  // anew
  Json evaluation;         // results/evaluation.json; null: there is nothing to evaluate
};

// Tokenizer, tokens, seed, cycles, comparisons, evaluation, in this order. Run again it does nothing; after a crash it
// goes on where it stopped; after a domain or a cycle was added it makes what is new. Throws Error(input) for a setting
// changed after what depends on it was published, and for a second grow of the same forest at the same time.
GrowOutcome grow(const Plan& plan, const GrowOptions& options);

}  // namespace btm
