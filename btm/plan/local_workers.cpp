#include "btm/plan/local_workers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/process.h"
#include "btm/core/write_error.h"

namespace btm {
namespace {

Error worker_error(const LaunchedRun& run, int status) {
  fs::path log = run.run / "log.txt";
  if (WIFSIGNALED(status)) {
    return failure(
        "{}: the worker was killed by signal {}; run `btm grow` again to go on from its last checkpoint (log: {})",
        run.name, WTERMSIG(status), log.string());
  }
  int code = WEXITSTATUS(status);
  Cause cause = code == 2 ? Cause::input : code == 130 ? Cause::interrupted : Cause::failed;
  return {cause, fmt::format("{}: {} (log: {})", run.name, last_line(log), log.string())};
}

}  // namespace

LocalWorkers::~LocalWorkers() {
  // mpirun hands SIGUSR1 on to its ranks; at SIGTERM it would kill them before they have saved.
  for (const auto& [process, run] : alive_) ::kill(process, SIGUSR1);
  for (const auto& [process, run] : alive_) ::waitpid(process, nullptr, 0);
}

void LocalWorkers::start(const std::vector<const LaunchedRun*>& runs) {
  for (const LaunchedRun* run : runs) alive_[start(*run)] = run;
}

pid_t LocalWorkers::start(const LaunchedRun& run) const {
  const fs::path log = run.run / "log.txt";
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (output < 0) throw write_error(log);
  // The workers' threads don't spin while they wait, because the cores are shared.
  const ProcessOptions options{.output = output, .errors = output, .environment = {"OMP_WAIT_POLICY=passive"}};
  std::vector<std::string> words = worker_command(program_, settings_);
  words.insert(words.end(), {"train", run.run});
  const std::vector<std::string> behind = worker_options(settings_);
  words.insert(words.end(), behind.begin(), behind.end());
  const pid_t worker = start_process(words, options);
  ::close(output);
  return worker;
}

std::vector<const LaunchedRun*> LocalWorkers::ended() {
  std::vector<const LaunchedRun*> well;
  for (auto at = alive_.begin(); at != alive_.end();) {
    int status = 0;
    if (::waitpid(at->first, &status, WNOHANG) != at->first) {
      ++at;
      continue;
    }
    const LaunchedRun* run = at->second;
    at = alive_.erase(at);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw worker_error(*run, status);
    well.push_back(run);
  }
  return well;
}

}  // namespace btm
