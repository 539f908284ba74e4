#include "btm/plan/launch/slurm_workers.h"

#include <set>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/core/process.h"
#include "btm/plan/launch/slurm_script.h"
#include "btm/train/job.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"

namespace btm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSaveSeconds = 120;  // ahead of a job's time limit it is told to save

std::int64_t updates_done(const fs::path& run) {
  const auto status = load_status(run);
  return status ? status->update : 0;
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
    if (record) {
      alive_.push_back({run, *record});
    } else {
      fresh.push_back({run, {"", 1, updates_done(run->run)}});
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
    save_slurm_record(tasks[i].run->run, tasks[i].record);
    alive_.push_back(std::move(tasks[i]));
  }
  log_detail(fmt::format("Slurm job {}: {}", array, counted(runs.size(), "task")));
}

// What Slurm refuses takes nobody with it.
void SlurmWorkers::submit_again(const Tasks& tasks) {
  try {
    submit(tasks);
  } catch (const Error& e) {
    for (const Task& task : tasks) give_up(task, e.cause(), fmt::format("can't be sent again: {}", e.what()));
  }
}

std::vector<const LaunchedRun*> SlurmWorkers::ended() {
  const bool asked = ask();
  std::vector<const LaunchedRun*> well;
  Tasks before = std::move(alive_), again;
  alive_.clear();
  for (Task& task : before) {
    if (load_result(task.run->run)) {
      remove_whole(slurm_output(folder_, task.record.job));
      well.push_back(task.run);
    } else if (asked) {
      look_after(std::move(task), again);
    } else {
      alive_.push_back(std::move(task));
    }
  }
  submit_again(std::move(again));
  if (well.empty() && alive_.empty() && !failures_.empty()) throw failures_.front();
  return well;
}

// The jobs' states anew, if it is time.
bool SlurmWorkers::ask() {
  if (alive_.empty() || Clock::now() - asked_ < ask_every_) return false;
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

void SlurmWorkers::look_after(Task task, Tasks& again) {
  const auto job = jobs_.find(task.record.job);
  if (job != jobs_.end() && is_alive(job->second)) {
    task.missed = {};
    alive_.push_back(std::move(task));
    return;
  }
  std::string state = job == jobs_.end() ? accounted_state(task.record.job) : job->second.state;
  if (state.empty()) state = "gone from Slurm";
  const int exit_status = job == jobs_.end() ? 0 : job->second.exit_status;
  const bool failed = state == "FAILED" || state == "CANCELLED";
  if (task.missed == Clock::time_point{}) task.missed = Clock::now();
  if (!failed && Clock::now() - task.missed < (state == "COMPLETED" ? result_delay_ : ask_every_)) {
    alive_.push_back(std::move(task));  // between two states, or its result is still on its way
    return;
  }
  look_at_end(std::move(task), state, exit_status, again);
}

void SlurmWorkers::look_at_end(Task task, const std::string& state, int exit_status, Tasks& again) {
  const int code = exit_code(exit_status);
  if (state == "CANCELLED") return give_up(task, Cause::failed, "its job was cancelled");
  if (state == "FAILED" && code == static_cast<int>(Cause::input))
    return give_up(task, Cause::input, last_line(RunPaths{task.run->run}.log()));
  if (state == "FAILED") return retry(std::move(task), fmt::format("its job ended with exit code {}", code), again);
  if (state == "OUT_OF_MEMORY") {
    return retry(std::move(task),
                 "its job ran out of memory (OUT_OF_MEMORY); ask for more: launcher.extra: [--mem=...]", again);
  }
  if (state == "TIMEOUT") {
    return retry(std::move(task), "its job reached its time limit (TIMEOUT) before it could save", again);
  }
  if (state == "COMPLETED") return retry(std::move(task), "its job ended well but left no result", again);
  retry(std::move(task), fmt::format("its job was lost ({})", state), again);
}

void SlurmWorkers::retry(Task task, const std::string& what, Tasks& again) {
  const std::int64_t update = updates_done(task.run->run);
  const int attempts = update > task.record.update ? 1 : task.record.attempts + 1;
  if (attempts > 1 + settings_.retries) {
    return give_up(task, Cause::failed,
                   fmt::format("{}, {} times in a row without progress", what, task.record.attempts));
  }
  log_warning(fmt::format("{}: {}; it is sent again and goes on from its last checkpoint", task.run->name, what));
  task.record = {"", attempts, update};
  task.missed = {};
  again.push_back(std::move(task));
}

void SlurmWorkers::give_up(const Task& task, Cause cause, const std::string& what) {
  const fs::path slurm = slurm_output(folder_, task.record.job), log = RunPaths{task.run->run}.log();
  std::string where = log;
  if (std::error_code none; fs::exists(slurm, none) && fs::file_size(slurm, none) > 0)
    where += " and " + slurm.string();
  remove_slurm_record(task.run->run);  // the next grow begins to count anew
  failures_.emplace_back(cause, fmt::format("{}: {} (log: {})", task.run->name, what, where));
  log_warning(failures_.back().what());
}

std::string SlurmWorkers::run_afterwards(const std::vector<std::string>& command) const {
  std::vector<std::string> words = options(folder_ / "grow.txt");
  std::vector<std::string> jobs;
  for (const Task& task : alive_) {
    if (task.missed == Clock::time_point{}) jobs.push_back(task.record.job);
  }
  words.push_back("--job-name=btm-grow");
  words.push_back(jobs.empty() ? fmt::format("--begin=now+{}",
                                             std::chrono::duration_cast<std::chrono::seconds>(result_delay_).count())
                               : fmt::format("--dependency=afterany:{}", fmt::join(jobs, ":")));
  return submit_job(words, command_script(command));
}

}  // namespace btm
