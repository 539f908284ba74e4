#include "btm/plan/launch/local_workers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <utility>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/core/on_exit.h"
#include "btm/core/process.h"
#include "btm/core/write_error.h"

namespace btm {
namespace {

Error worker_error(const LaunchedRun& run, int status, const std::string& program) {
  fs::path log = RunPaths{run.run}.log();
  if (WIFSIGNALED(status)) {
    return failure(
        "{}: the worker was killed by signal {}; run `btm grow` again to go on from its last checkpoint (log: {})",
        run.name, WTERMSIG(status), log.string());
  }
  const int code = WEXITSTATUS(status);
  if (code == kNotFound && (!fs::exists(log) || fs::is_empty(log)))
    return input_error("{}: {} can't be started; is it installed, and in PATH?", run.name, program);
  if (::geteuid() == 0 && fs::exists(log) && read_file(log).find("OMPI_ALLOW_RUN_AS_ROOT") != std::string::npos) {
    return input_error(
        "{}: {} starts nothing as root, unless OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 are set; "
        "set both (log: {})",
        run.name, program, log.string());
  }
  Cause cause = code == 2 ? Cause::input : code == 130 ? Cause::interrupted : Cause::failed;
  return {cause, fmt::format("{}: {} (log: {})", run.name, last_line(log), log.string())};
}

// As this process may use them, in the words of CUDA_VISIBLE_DEVICES, for workers that take so many of them.
std::vector<std::string> gpu_groups(int together) {
  const auto gpu = find_gpu();
  const int count = gpu ? gpu->count : 0;
  std::vector<std::string> names;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
    names = split_list(visible);
  } else {
    for (int i = 0; i < count; ++i) names.push_back(std::to_string(i));
  }
  names.resize(std::min(names.size(), static_cast<std::size_t>(count)));
  const auto size = static_cast<std::size_t>(together);
  std::vector<std::string> groups(names.size() / size);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = fmt::format("{}", fmt::join(std::span(names).subspan(i * size, size), ","));
  }
  return groups;
}

}  // namespace

LocalWorkers::LocalWorkers(fs::path program, const LauncherSettings& settings, const WorkerShare& share)
    : program_(std::move(program)), settings_(settings), count_(share.workers) {
  if (share.on_gpu) gpus_ = gpu_groups(settings.ranks);
  if (!gpus_.empty() && static_cast<std::size_t>(count_) > gpus_.size()) sharing_.emplace();
}

LocalWorkers::~LocalWorkers() {
  // mpirun hands SIGUSR1 on to its ranks; at SIGTERM it would kill them before they have saved.
  for (const auto& [process, worker] : alive_) ::kill(process, SIGUSR1);
  for (const auto& [process, worker] : alive_) ::waitpid(process, nullptr, 0);
}

void LocalWorkers::start(const std::vector<const LaunchedRun*>& runs) {
  tell_failures();
  for (const LaunchedRun* run : runs) {
    const std::size_t gpus = least_used_gpus();
    try {
      alive_[start(*run, gpus)] = {run, gpus};
    } catch (const Error& e) {  // as of one that fails later
      failures_.push_back(e);
    }
  }
}

std::size_t LocalWorkers::least_used_gpus() const {
  std::vector<int> workers(std::max<std::size_t>(1, gpus_.size()));
  for (const auto& [process, worker] : alive_) ++workers[worker.gpus];
  return static_cast<std::size_t>(std::ranges::min_element(workers) - workers.begin());
}

pid_t LocalWorkers::start(const LaunchedRun& run, std::size_t gpus) const {
  const fs::path log = RunPaths{run.run}.log();
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
  if (output < 0) throw write_error(log);
  const OnExit close([output] { ::close(output); });
  // The workers' threads don't spin while they wait, because the cores are shared.
  ProcessOptions options{.output = output, .errors = output, .environment = {"OMP_WAIT_POLICY=passive"}};
  if (gpus_.size() > 1) options.environment.push_back("CUDA_VISIBLE_DEVICES=" + gpus_[gpus]);
  if (sharing_) {
    const std::vector<std::string>& shared = sharing_->environment();
    options.environment.insert(options.environment.end(), shared.begin(), shared.end());
  }
  std::vector<std::string> words = worker_command(program_, settings_);
  words.insert(words.end(), {"train", run.run});
  const std::vector<std::string> behind = worker_options(settings_);
  words.insert(words.end(), behind.begin(), behind.end());
  return start_process(words, options);
}

std::vector<const LaunchedRun*> LocalWorkers::ended() {
  std::vector<const LaunchedRun*> well;
  for (auto at = alive_.begin(); at != alive_.end();) {
    int status = 0;
    if (::waitpid(at->first, &status, WNOHANG) != at->first) {
      ++at;
      continue;
    }
    const LaunchedRun* run = at->second.run;
    at = alive_.erase(at);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      well.push_back(run);
    } else {
      failures_.push_back(worker_error(*run, status, worker_command(program_, settings_).front()));
    }
  }
  const bool failed = failures_.size() > std::exchange(seen_, failures_.size());
  if (!alive_.empty()) {
    tell_failures();
  } else if (well.empty() && !failed && !failures_.empty()) {  // and nothing was started since
    told_ = std::max(told_, std::size_t{1});
    tell_failures();
    throw failures_.front();
  }
  return well;
}

void LocalWorkers::tell_failures() {
  for (; told_ < failures_.size(); ++told_) {
    log_warning(fmt::format("{}; the others go on", failures_[told_].what()));
  }
}

}  // namespace btm
