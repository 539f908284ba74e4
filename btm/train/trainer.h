// Training by btm's own learners: the updates of a job with their logs, dev losses and checkpoints.
#pragma once

#include <filesystem>

#include "btm/train/job.h"
#include "btm/train/ranks.h"
#include "btm/train/result.h"

namespace btm {

// Does what run_training() says of a job without a `trainer` that isn't done; its caller holds the lock of `run`.
TrainingResult train(const std::filesystem::path& run, TrainingJob job, bool quiet, const Ranks& ranks);

}  // namespace btm
