#include "btm/plan/launch/slurm_workers.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/core/process.h"
#include "btm/plan/launch/slurm_script.h"
#include "btm/train/result.h"
#include "btm/train/snapshot.h"

namespace btm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSaveSeconds = 120;  // ahead of a job's time limit it is told to save

// What a job that is lost now does not lose.
std::int64_t updates_saved(const fs::path& run) {
  const std::vector<std::int64_t> saved = snapshots(RunPaths{run}.checkpoints());
  return saved.empty() ? 0 : saved.front();
}

// Whether run_afterwards() queued what calls this; whoever calls it by hand wants all tried again.
bool goes_on() {
  return std::getenv(kGoesOn) != nullptr;
}

std::string slurm_output(const fs::path& folder, const std::string& job) {
  return folder / fmt::format("slurm-{}.txt", job);
}

}  // namespace

SlurmWorkers::~SlurmWorkers() {
  if (alive_.empty()) return;
  std::set<std::string> arrays;
  for (const Task& task : alive_) arrays.insert(task.record.job.substr(0, task.record.job.find('_')));
  log_info(fmt::format("{} job{} in Slurm; the next `btm grow` watches them, `scancel {}` stops them", alive_.size(),
                       alive_.size() == 1 ? " is" : "s are", fmt::join(arrays, " ")));
}

std::size_t SlurmWorkers::free() const {
  return static_cast<std::size_t>(-1);  // the array's limit keeps to `workers`
}

void SlurmWorkers::start(const std::vector<const LaunchedRun*>& runs) {
  Tasks fresh;
  for (const LaunchedRun* run : runs) {
    const auto record = load_slurm_record(run->run);
    const bool given_up = record && !record->failed.empty();
    if (given_up && goes_on()) {
      failures_.emplace_back(static_cast<Cause>(record->exit_code), record->failed);
    } else if (record && !given_up) {
      alive_.push_back({run, *record});
    } else {
      fresh.push_back({run, {"", 1, updates_saved(run->run)}});
    }
  }
  submit(std::move(fresh));
  asked_ = {};
}

std::vector<std::string> SlurmWorkers::options(const std::string& log) const {
  std::vector<std::string> options = {"--open-mode=append", "--output=" + log};
  auto add = [&options](const char* name, const std::string& value) {
    if (!value.empty()) options.push_back(fmt::format("--{}={}", name, value));
  };
  add("partition", settings_.partition);
  add("account", settings_.account);
  add("time", settings_.time);
  add("cpus-per-task", std::to_string(threads_));
  return options;
}

void SlurmWorkers::submit(Tasks tasks) {
  if (tasks.empty()) return;
  std::vector<fs::path> runs;
  for (const Task& task : tasks) runs.push_back(task.run->run);
  std::vector<std::string> words = options(slurm_output(folder_, "%A_%a"));
  const std::string limit = settings_.workers ? fmt::format("%{}", *settings_.workers) : "";
  words.insert(words.end(), {"--job-name=btm", "--requeue", fmt::format("--signal=B:USR1@{}", kSaveSeconds),
                             fmt::format("--nodes={}", settings_.nodes), fmt::format("--ntasks={}", settings_.ranks),
                             fmt::format("--array=0-{}{}", runs.size() - 1, limit)});
  if (!settings_.gres.empty()) words.push_back("--gres=" + settings_.gres);
  words.insert(words.end(), settings_.extra.begin(), settings_.extra.end());
  const std::string array = submit_job(words, training_script(program_, settings_, runs));
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].record.job = fmt::format("{}_{}", array, i);
    try {
      save_slurm_record(tasks[i].run->run, tasks[i].record);
    } catch (const Error& e) {  // the next grow sends a second job, which waits for this one
      log_warning(fmt::format("{}: {}", tasks[i].run->name, e.what()));
    }
    tasks[i].refused = 0;
    alive_.push_back(std::move(tasks[i]));
  }
  log_detail(fmt::format("Slurm job {}: {}", array, counted(runs.size(), "task")));
}

// What Slurm refuses takes nobody with it, and is tried again: it may only be starting.
void SlurmWorkers::submit_again() {
  const Tasks tasks = std::exchange(unsent_, {});
  try {
    submit(tasks);
  } catch (const Error& e) {
    for (Task task : tasks) {
      const std::string what = fmt::format("can't be sent again: {}", e.what());
      if (++task.refused > settings_.retries) {
        give_up(std::move(task), e.cause(), what);
        continue;
      }
      if (task.refused == 1) log_warning(fmt::format("{}: {}; it is tried again", task.run->name, what));
      unsent_.push_back(std::move(task));
    }
  }
}

std::vector<const LaunchedRun*> SlurmWorkers::ended() {
  const bool asked = ask();
  std::vector<const LaunchedRun*> well;
  for (Task& task : std::exchange(alive_, {})) {
    if (load_result(task.run->run)) {
      remove_whole(slurm_output(folder_, task.record.job));
      well.push_back(task.run);
    } else if (asked) {
      look_after(std::move(task));
    } else {
      alive_.push_back(std::move(task));
    }
  }
  if (asked) submit_again();
  if (well.empty() && alive_.empty() && unsent_.empty() && !failures_.empty()) throw failures_.front();
  return well;
}

bool SlurmWorkers::settled() const {
  const bool known = std::ranges::all_of(alive_, [](const Task& task) { return task.missed == Clock::time_point{}; });
  return reachable_ && known && unsent_.empty();
}

// The jobs' states anew, if it is time.
bool SlurmWorkers::ask() {
  const bool none = alive_.empty() && unsent_.empty();
  if (none || Clock::now() - asked_ < ask_every_) return false;
  asked_ = Clock::now();
  try {
    jobs_ = known_jobs();
    reachable_ = true;
    return true;
  } catch (const Error& e) {
    if (reachable_) log_warning(fmt::format("{}; its jobs go on, and it is asked again until it answers", e.what()));
    reachable_ = false;
    return false;
  }
}

void SlurmWorkers::look_after(Task task) {
  const auto known = jobs_.find(task.record.job);
  if (known != jobs_.end() && is_alive(known->second)) {
    task.missed = {};
    alive_.push_back(std::move(task));
    return;
  }
  SlurmJob job = known == jobs_.end() ? accounted_job(task.record.job) : known->second;
  if (job.state.empty()) job.state = "gone from Slurm";
  const bool failed = job.state == "FAILED" || job.state == "CANCELLED";
  if (task.missed == Clock::time_point{}) task.missed = Clock::now();
  if (!failed && Clock::now() - task.missed < (job.state == "COMPLETED" ? result_delay_ : ask_every_)) {
    alive_.push_back(std::move(task));  // between two states, or its result is still on its way
    return;
  }
  look_at_end(std::move(task), job);
}

void SlurmWorkers::look_at_end(Task task, const SlurmJob& job) {
  const int code = exit_code(job.exit_status);
  if (job.state == "CANCELLED") return give_up(std::move(task), Cause::failed, "its job was cancelled");
  if (job.state == "FAILED" && code == static_cast<int>(Cause::input)) {
    const std::string what = last_line(RunPaths{task.run->run}.log());
    return give_up(std::move(task), Cause::input, what);
  }
  if (job.state == "FAILED") return retry(std::move(task), fmt::format("its job ended with exit code {}", code));
  if (job.state == "OUT_OF_MEMORY") {
    return retry(std::move(task),
                 "its job ran out of memory (OUT_OF_MEMORY); ask for more: launcher.extra: [--mem=...]");
  }
  if (job.state == "TIMEOUT") {
    return retry(std::move(task), "its job reached its time limit (TIMEOUT) before it could save");
  }
  if (job.state == "COMPLETED") return retry(std::move(task), "its job ended well but left no result");
  retry(std::move(task), fmt::format("its job was lost ({})", job.state));
}

void SlurmWorkers::retry(Task task, const std::string& what) {
  const std::int64_t update = updates_saved(task.run->run);
  const int attempts = update > task.record.update ? 1 : task.record.attempts + 1;
  if (attempts > 1 + settings_.retries) {
    const int before = task.record.attempts;
    return give_up(std::move(task), Cause::failed, fmt::format("{}, {} times in a row without progress", what, before));
  }
  log_warning(fmt::format("{}: {}; it is sent again and goes on from its last checkpoint", task.run->name, what));
  task.record = {"", attempts, update};
  task.missed = {};
  unsent_.push_back(std::move(task));
}

void SlurmWorkers::give_up(Task task, Cause cause, const std::string& what) {
  const fs::path slurm = slurm_output(folder_, task.record.job), log = RunPaths{task.run->run}.log();
  std::string where = log;
  if (std::error_code none; fs::exists(slurm, none) && fs::file_size(slurm, none) > 0)
    where += " and " + slurm.string();
  failures_.emplace_back(cause, fmt::format("{}: {} (log: {})", task.run->name, what, where));
  log_warning(failures_.back().what());
  task.record.failed = failures_.back().what();
  task.record.exit_code = static_cast<int>(cause);
  try {
    save_slurm_record(task.run->run, task.record);
  } catch (const Error& e) {  // the next grow finds its job gone, as this one did
    log_detail(e.what());
  }
}

std::string SlurmWorkers::run_afterwards(const std::vector<std::string>& command) const {
  std::vector<std::string> words = options(folder_ / "grow.txt"), jobs;
  for (const Task& task : alive_) jobs.push_back(task.record.job);
  words.push_back("--job-name=btm-grow");
  words.push_back(fmt::format("--dependency=afterany:{}", fmt::join(jobs, ":")));
  return submit_job(words, command_script(command));
}

}  // namespace btm
