#include "btm/plan/training.h"

#include <algorithm>

#include "btm/core/file_lock.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/forest/forest.h"
#include "btm/forest/merge.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/launch/local_workers.h"
#include "btm/plan/launch/slurm_workers.h"
#include "btm/plan/room.h"
#include "btm/train/result.h"

namespace btm {
namespace {

bool waits(const PendingModel& model, const std::vector<PendingModel>& for_these) {
  return std::ranges::any_of(for_these, [&model](const PendingModel& other) {
    return std::ranges::find(model.after, run_name(other.task)) != model.after.end();
  });
}

std::vector<ModelTask> tasks_of(const std::vector<PendingModel>& models) {
  std::vector<ModelTask> tasks;
  tasks.reserve(models.size());
  for (const PendingModel& model : models) tasks.push_back(model.task);
  return tasks;
}

std::string tokens_of(const std::vector<ModelTask>& tasks) {
  std::int64_t sum = 0;
  for (const ModelTask& task : tasks) sum += task.tokens;
  const std::int64_t first = tasks.front().tokens;
  const bool equal = sum == first * static_cast<std::int64_t>(tasks.size());
  return fmt::format("{} tokens{}", format_count(static_cast<double>(equal ? first : sum)),
                     tasks.size() == 1 ? ""
                     : equal           ? " each"
                                       : " in all");
}

std::string description(const std::vector<ModelTask>& tasks, const ModelConfig& config, bool local, WorkerShare share) {
  const std::string at_once = local ? fmt::format("{} at once", share.workers) : "as Slurm jobs";
  const std::string each = share.on_gpu ? "on a GPU" : counted(share.threads, "thread") + " each";
  return fmt::format("training {} of {} parameters on {}, {}, {}", counted(tasks.size(), "model"),
                     format_count(static_cast<double>(parameter_count(config))), tokens_of(tasks), at_once, each);
}

// What an earlier training left. result.json first, since a run with one is done; run.yaml is only replaced: without it
// nobody would know later that the rest is of another job.
void clear_run(const RunPaths& run) {
  remove_whole(run.result());
  for (const auto& entry : fs::directory_iterator(run.root)) {
    const fs::path& path = entry.path();
    if (path != run.init() && path != run.lock() && path != run.job()) remove_whole(path);
  }
}

// A DEMix model is published as one for each domain.
std::vector<fs::path> model_folders(const fs::path& folder, const ModelTask& task) {
  if (!task.demix) return {folder};
  std::vector<fs::path> folders;
  for (const std::string& domain : task.domains) folders.push_back(folder / domain);
  return folders;
}

bool is_whole(const fs::path& model) {
  try {
    return weights_sha256(model) == load_expert(model).weights_sha256;
  } catch (const Error&) {
    return false;  // files are missing; perhaps it is being removed at this moment
  }
}

}  // namespace

bool Training::train(const std::string& title, std::vector<PendingModel> models, std::size_t together) {
  branch_first(models);
  if (models.empty()) return true;
  const bool local = place_.launcher.kind == LauncherKind::local;
  const std::vector<ModelTask> tasks = tasks_of(models);
  const TrainingGroup group = training_group(tasks, base_.model, place_.launcher, together);
  if (local) require_memory(group);  // a cluster's machines are their own
  require_disk(base_.paths, group.model_bytes + group.checkpoint_bytes);
  const WorkerShare share = group.share;
  std::vector<LaunchedRun> runs;
  for (const PendingModel& model : models) {
    if (!waits(model, models)) prepare_run(model, share);
    runs.push_back({run_name(model.task), base_.paths.run(run_name(model.task)), model.after});
  }
  log_info(fmt::format("{}: {}", title, description(tasks, base_.model, local, share)));
  auto model_of = [&](const LaunchedRun& run) -> PendingModel& {
    return *std::ranges::find(models, run.name, [](const PendingModel& model) { return run_name(model.task); });
  };
  LaunchHooks hooks;
  hooks.prepare = [&](const LaunchedRun& run) {
    PendingModel& model = model_of(run);
    if (!waits(model, models)) return true;  // prepared above
    if (model.branch) model.branch(model);
    if (take_over(model.task)) return false;
    prepare_run(model, share);
    return true;
  };
  hooks.done = [&](const LaunchedRun& run) {
    finish(model_of(run).task);
    ++trained_;
  };
  return launch_all(title, runs, hooks, share);
}

bool Training::launch_all(const std::string& title, const std::vector<LaunchedRun>& runs, const LaunchHooks& hooks,
                          WorkerShare share) const {
  LaunchOptions options{.watch = place_.resubmit.empty(), .quiet = place_.quiet};
  if (place_.launcher.kind == LauncherKind::local) {
    LocalWorkers workers(place_.program, place_.launcher, share);
    return launch(workers, title, runs, hooks, options);
  }
  SlurmWorkers workers(place_.program, place_.launcher, share.threads, base_.paths.runs());
  const bool done = launch(workers, title, runs, hooks, options);
  if (!done) log_info(fmt::format("{}: job {} goes on", title, workers.run_afterwards(place_.resubmit)));
  return done;
}

// Those that wait for nobody know their parents now: what a neighbour has of them need not be trained.
void Training::branch_first(std::vector<PendingModel>& models) const {
  std::vector<PendingModel> left;
  for (PendingModel& model : models) {
    if (!waits(model, left)) {
      if (model.branch) model.branch(model);
      if (take_over(model.task)) continue;
    }
    left.push_back(std::move(model));
  }
  models = std::move(left);
}

// A neighbour's model of the same recipe, as if it had been trained here.
bool Training::take_over(const ModelTask& task) const {
  const auto found = neighbours_.find_model(recipe_sha256(recipe_of(task, base_)));
  if (!found) return false;
  for (const fs::path& model : model_folders(*found, task)) {
    if (is_whole(model)) continue;
    log_warning(fmt::format("{}: damaged, so it isn't taken over", model.string()));
    return false;
  }
  const ExpertInfo there = load_expert(task.demix ? *found / task.domains.front() : *found);
  adopt_model(*found, base_.paths.run(run_name(task)));
  publish(task, {there.tokens, there.updates, there.flops, there.device_seconds, there.dev_loss, there.threads,
                 there.precision, there.device});
  log_detail(fmt::format("{}: taken over from {}", run_name(task), found->string()));
  return true;
}

// Leaves the state of a run of the same job as it is, so that it goes on where it stopped.
void Training::prepare_run(const PendingModel& model, const WorkerShare& share) const {
  const std::string name = run_name(model.task);
  const fs::path run = base_.paths.run(name);
  TrainingJob job = job_of(model.task, base_, model.init, model.init_sha256, share.threads);
  job.gpu_share = share.gpu_share;
  job.device = share.on_gpu ? Device::cuda : place_.launcher.device;  // with so few threads it is not for the CPU
  std::optional<FileLock> lock;                                       // until run.yaml says what is to be done
  if (fs::exists(RunPaths{run}.job())) {
    const TrainingJob there = load_job(run);
    job.threads = there.threads;      // the bytes of the weights depend on it
    job.gpu_share = there.gpu_share;  // and on this: ATen and cuBLAS look at how many multiprocessors there are
    if (job_sha256(there) == job_sha256(job) && there.trainer == job.trainer) return save_job(run, job);
    lock.emplace(RunPaths{run}.lock(), fmt::format("training in {} with other settings", run.string()));
    log_info(fmt::format("{}: its settings have changed, training starts anew", name));
    clear_run({run});
    job.threads = share.threads;
    job.gpu_share = share.gpu_share;
  }
  save_job(run, job);
}

void Training::finish(const ModelTask& task) const {
  const fs::path run = base_.paths.run(run_name(task));
  std::optional<TrainingResult> result = load_result(run);
  if (!result) throw failure("{}: its worker ended well but left no result.json", run.string());
  publish(task, *result);
  log_info(fmt::format("{}: dev loss {:.3f} after {} tokens, {} of device time", run_name(task), result->dev_loss,
                       format_count(static_cast<double>(result->tokens)), format_duration(result->device_seconds)));
}

void Training::publish(const ModelTask& task, const TrainingResult& result) const {
  const fs::path run = base_.paths.run(run_name(task));
  ExpertInfo info = info_of(task, base_, result);
  if (task.demix) {
    std::vector<ExpertInfo> infos(task.domains.size(), info);
    for (std::size_t i = 0; i < infos.size(); ++i) {
      infos[i].name = task.domains[i];
      infos[i].domains = {task.domains[i]};
    }
    publish_models(comparison_folder(base_.paths, task), run, infos);
  } else if (task.kind == kExpertKind) {
    merge_expert(base_.paths, run, info);
  } else {
    publish_model(task.kind == kSeedName ? base_.paths.seed() : comparison_folder(base_.paths, task), run, info);
  }
  remove_whole(run);
}

}  // namespace btm
