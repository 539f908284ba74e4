// Whether a training can be what its settings say.
#pragma once

#include <cstdint>
#include <string>

#include "btm/train/job.h"

namespace btm {

// Throw Error(input) naming the first setting that can't be; `where` stands before its name: training, seed.training.
void check_training(const TrainingSettings& settings, const std::string& where);
void check_job(const TrainingJob& job);
// That a batch holds a sequence at least, and no more than can be counted; `where` with its dot: "", "seed.".
void check_batch(const TrainingSettings& training, int context, const std::string& where);
// And that so many tokens make an update at least.
void check_updates(std::int64_t tokens, const TrainingSettings& training, int context, const std::string& where);

}  // namespace btm
