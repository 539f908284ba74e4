// Training of one model alone, in a folder of its own; stopped at any point and started again it ends with the same
// bytes.
#pragma once

#include <filesystem>

#include "btm/core/file_lock.h"
#include "btm/core/files.h"
#include "btm/train/job.h"
#include "btm/train/ranks.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"

namespace btm {

struct TrainingOptions {
  bool quiet = false;
  FileLock::Busy busy = FileLock::Busy::refuse;  // another process is training in the folder: refuse, or wait and go on
  int threads = 0;                               // more than 0: run.yaml's are these from now on, if there is work left
};

// Trains the job in `run` (RUN/run.yaml already there) from its last good checkpoint to the end and leaves
//   RUN/model/        the final checkpoint folder (Hugging Face layout with tokenizer)
//   RUN/metrics.jsonl a line for each update, see MetricsFile::add
//   RUN/status.json   {"state": "running|done|interrupted|failed","update","updates",...}, see RunStatus
//   RUN/checkpoints/STEP/  while it runs
//   RUN/result.json   last: its presence says that the run is done
// Done already: returns at once. Throws Error(interrupted) after a checkpoint on SIGINT or SIGTERM, Error(input) for
// data or weights that don't match the job, a full disk (the last good checkpoint stays usable), non-finite loss.
// A job with a `trainer` is given to that (see external_trainer.h) and has no checkpoints of its own; what it started
// keeps the folder locked until it ends, though this process be killed.
// With several ranks all of them call this; the first alone writes, and gives the result. A run may go on with another
// number of them: the data are the same, and the weights but for the rounding of sums.
TrainingResult run_training(const std::filesystem::path& run, const TrainingOptions& options, const Ranks& ranks = {});

}  // namespace btm
