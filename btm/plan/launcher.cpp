#include "btm/plan/launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/core/settings.h"

namespace btm {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr int kLookEvery = 10;  // polls between two looks at the workers' status files

// The environment of the workers: their threads don't spin while they wait, because the cores are shared.
std::vector<std::string> worker_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry; ++entry) {
    std::string variable = *entry;
    if (variable.rfind("OMP_WAIT_POLICY=", 0) != 0) result.push_back(std::move(variable));
  }
  result.emplace_back("OMP_WAIT_POLICY=passive");
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

pid_t start(const LocalLauncher& launcher, const LaunchedRun& run) {
  std::vector<std::string> words = {launcher.program, "train", run.run, "--quiet"};
  std::vector<std::string> environment = worker_environment();
  std::vector<char*> argv = pointers(words), envp = pointers(environment);
  fs::path log = run.run / "log.txt";
  int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (output < 0) throw input_error("{}: can't be written", log.string());
  pid_t parent = ::getpid();
  pid_t child = ::fork();
  if (child < 0) {
    ::close(output);
    throw failure("{}: no process could be started", run.name);
  }
  if (child == 0) {  // only async-signal-safe calls from here to exec
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
    ::setpgid(0, 0);  // the terminal's Ctrl-C reaches the coordinator alone, which passes it on once
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(output);
  return child;
}

std::string last_line(const fs::path& log) {
  std::string text = fs::exists(log) ? read_file(log) : "";
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::string line = text.substr(text.rfind('\n') + 1);
  return line.empty() ? "it printed nothing" : line;
}

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

struct Status {
  double update = 0, updates = 0, tokens_per_second = 0, loss = 0;
};

Status read_status(const fs::path& run) {
  Status status;
  std::error_code missing;
  if (!fs::exists(run / "status.json", missing)) return status;
  Json json = Json::parse(read_file(run / "status.json"), nullptr, false);
  if (json.is_discarded()) return status;
  status.update = json.value("update", 0.0);
  status.updates = json.value("updates", 0.0);
  status.tokens_per_second = json.value("tokens_per_second", 0.0);
  status.loss = json.value("loss", 0.0);
  return status;
}

// The workers alive, and what is known of all runs.
class Pool {
 public:
  Pool(const LocalLauncher& launcher, const std::string& title, const std::vector<LaunchedRun>& runs)
      : launcher_(launcher),
        runs_(runs),
        states_(runs.size(), State::waiting),
        share_(runs.size(), 0.0),
        progress_(title, static_cast<double>(runs.size()), launcher.quiet) {}

  ~Pool() { stop_all(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(const LaunchHooks& hooks) {
    for (int polls = 0;; ++polls) {
      throw_if_interrupted();
      start_ready(hooks);
      if (alive_.empty()) break;
      int status = 0;
      pid_t ended = 0;
      for (const auto& [process, index] : alive_) {
        if (::waitpid(process, &status, WNOHANG) == process) {
          ended = process;
          break;
        }
      }
      if (ended == 0) {
        if (polls % kLookEvery == 0) show();
        std::this_thread::sleep_for(kPoll);
        continue;
      }
      std::size_t index = alive_.at(ended);
      alive_.erase(ended);
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw worker_error(runs_[index], status);
      hooks.done(runs_[index]);
      set_done(index);
    }
    progress_.finish("done");
  }

 private:
  enum class State { waiting, started, done };

  void start_ready(const LaunchHooks& hooks) {
    while (alive_.size() < static_cast<std::size_t>(launcher_.workers)) {
      const auto next = first_ready();
      if (!next) return;
      states_[*next] = State::started;
      if (hooks.prepare(runs_[*next])) {
        alive_[start(launcher_, runs_[*next])] = *next;
      } else {
        set_done(*next);
      }
    }
  }

  std::optional<std::size_t> first_ready() const {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (states_[i] == State::waiting && !waits(runs_[i])) return i;
    }
    return std::nullopt;
  }

  bool waits(const LaunchedRun& run) const {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (states_[i] != State::done && std::ranges::find(run.after, runs_[i].name) != run.after.end()) return true;
    }
    return false;
  }

  void set_done(std::size_t index) {
    states_[index] = State::done;
    share_[index] = 1;
  }

  void show() {
    std::vector<std::string> notes;
    double speed = 0;
    for (const auto& [process, index] : alive_) {
      Status status = read_status(runs_[index].run);
      if (status.updates <= 0) continue;
      share_[index] = status.update / status.updates;
      speed += status.tokens_per_second;
      notes.push_back(fmt::format("{} loss {:.3f}", runs_[index].name, status.loss));
    }
    double total = 0;
    for (double share : share_) total += share;
    constexpr std::size_t kShown = 4;  // names that fit a line
    std::size_t more = notes.size() > kShown ? notes.size() - kShown : 0;
    notes.resize(notes.size() - more);
    progress_.update(total, fmt::format("{} tokens/s  {}{}", format_count(speed), fmt::join(notes, ", "),
                                        more ? fmt::format(" and {} more", more) : ""));
  }

  void stop_all() {
    for (const auto& [process, index] : alive_) ::kill(process, SIGTERM);
    for (const auto& [process, index] : alive_) ::waitpid(process, nullptr, 0);
    alive_.clear();
  }

  const LocalLauncher& launcher_;
  const std::vector<LaunchedRun>& runs_;
  std::vector<State> states_;
  std::vector<double> share_;  // of each run's updates done
  std::map<pid_t, std::size_t> alive_;
  Progress progress_;
};

}  // namespace

void launch(const LocalLauncher& launcher, const std::string& title, const std::vector<LaunchedRun>& runs,
            const LaunchHooks& hooks) {
  if (runs.empty()) return;
  Pool(launcher, title, runs).run(hooks);
}

}  // namespace btm
