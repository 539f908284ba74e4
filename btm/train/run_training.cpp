#include "btm/train/run_training.h"

#include <optional>
#include <utility>

#include "btm/core/file_lock.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/half_written.h"
#include "btm/train/external_trainer.h"
#include "btm/train/job_check.h"
#include "btm/train/run_status.h"
#include "btm/train/trainer.h"

namespace btm {
namespace {

void note_failure(const fs::path& run) {
  try {
    RunStatus status = load_status(run).value_or(RunStatus{});
    status.state = RunPhase::failed;
    save_status(run, status);
  } catch (const Error&) {
    // The error that ended the run is the one to show; this one may only be its echo (a full disk).
  }
}

// The other ranks are told whether the first one has it: it may be interrupted while it waits.
void take_lock(std::optional<FileLock>& lock, const fs::path& run, FileLock::Busy busy, const Ranks& ranks) {
  try {
    lock.emplace(RunPaths{run}.lock(), fmt::format("training in {}", run.string()), busy);
  } catch (const Error& e) {
    if (e.cause() == Cause::interrupted) ranks.broadcast(1.0);  // any other ends them all
    throw;
  }
  ranks.broadcast(0.0);
}

void set_threads(const fs::path& run, int threads) {
  TrainingJob job = load_job(run);
  if (job.threads == threads) return;
  job.threads = threads;
  save_job(run, job);
}

}  // namespace

TrainingResult run_training(const fs::path& run, const TrainingOptions& options, const Ranks& ranks) {
  load_job(run);  // a clear message if there is none, before a lock is made
  std::optional<FileLock> lock;
  std::optional<TrainingResult> result;
  if (ranks.is_first()) {
    take_lock(lock, run, options.busy, ranks);
    result = load_result(run);
    if (result) {
      remove_whole(RunPaths{run}.checkpoints());
      remove_trainer_folders(run);
      remove_leftovers(run);
    } else if (options.threads > 0) {
      set_threads(run, options.threads);
    }
  } else if (ranks.broadcast(0.0) > 0) {
    throw Error(Cause::interrupted, fmt::format("{}: interrupted before the training began", run.string()));
  }
  if (ranks.broadcast(result ? 1.0 : 0.0) > 0) return result.value_or(TrainingResult{});
  TrainingJob job = load_job(run);  // not before the lock: whoever held it may have changed it
  check_job(job);
  if (!job.trainer.empty() && ranks.size() > 1) {
    throw input_error("{}: its trainer is not btm's, so it can't be trained by {} ranks", run.string(), ranks.size());
  }
  if (lock && !job.trainer.empty()) lock->pass_to_children();  // they may outlive this process
  try {
    if (job.trainer.empty()) return train(run, std::move(job), options.quiet || !ranks.is_first(), ranks);
    return run_external_trainer(run, std::move(job));
  } catch (const std::exception& e) {
    const auto* own = dynamic_cast<const Error*>(&e);
    const bool interrupted = own && own->cause() == Cause::interrupted;
    if (!interrupted && ranks.is_first()) note_failure(run);
    throw;
  }
}

}  // namespace btm
