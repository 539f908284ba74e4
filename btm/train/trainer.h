// Training of one model alone, in a folder of its own; stopped at any point and started again it ends with the same
// bytes.
#pragma once

#include <filesystem>

#include "btm/core/files.h"
#include "btm/train/job.h"

namespace btm {

// Trains the job in `run` (RUN/run.yaml already there) from its last good checkpoint to the end and leaves
//   RUN/model/        the final checkpoint folder (Hugging Face layout with tokenizer)
//   RUN/metrics.jsonl {"update","tokens","loss","learning_rate","gradient_norm","tokens_per_second"[,"dev_loss"]}
//   RUN/status.json   {"state": "running|done|interrupted|failed","update","updates",...}, see RunStatus
//   RUN/checkpoints/STEP/  while it runs
//   RUN/result.json   last: its presence says that the run is done
// Done already: returns at once. Throws Error(interrupted) after a checkpoint on SIGINT or SIGTERM, Error(input) for
// data or weights that don't match the job, a full disk (the last good checkpoint stays usable), non-finite loss.
// A job with a `trainer` is given to that (see external_trainer.h) and has no checkpoints of its own.
// Another process is training in `run`: refused, or waited for and gone on from what it leaves.
TrainingResult run_training(const std::filesystem::path& run, bool quiet, FileLock::Busy busy = FileLock::Busy::refuse);

}  // namespace btm
