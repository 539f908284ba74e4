#include "btm/plan/launch/launcher.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/train/run_status.h"

namespace btm {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr int kLookEvery = 10;  // polls between two looks at the workers' status files

class Launch {
 public:
  Launch(Workers& workers, const std::string& title, const std::vector<LaunchedRun>& runs, const LaunchHooks& hooks,
         bool quiet)
      : workers_(workers),
        runs_(runs),
        hooks_(hooks),
        states_(runs.size(), State::waiting),
        share_(runs.size(), 0.0),
        progress_(title, static_cast<double>(runs.size()), quiet) {}

  bool watch() {
    for (int polls = 0;; ++polls) {
      throw_if_interrupted();
      start_ready();
      if (!any(State::started)) break;
      if (take_ended()) continue;
      if (polls % kLookEvery == 0) show();
      std::this_thread::sleep_for(kPoll);
    }
    throw_failure();
    progress_.finish("done");
    return true;
  }

  // What waits for no other run; what ended well since it was started the last time counts as done.
  bool start_once() {
    for (;;) {
      start_ready();
      if (take_ended()) continue;
      if (workers_.settled()) break;
      throw_if_interrupted();
      std::this_thread::sleep_for(kPoll);
    }
    throw_failure();
    return !any(State::started) && !any(State::waiting);
  }

 private:
  enum class State { waiting, started, done, failed };

  void start_ready() {
    std::vector<const LaunchedRun*> ready;
    while (ready.size() < workers_.free()) {
      const auto next = first_ready();
      if (next == runs_.size()) break;
      states_[next] = State::started;
      bool left = false;
      if (!succeeds(next, [&] { left = hooks_.prepare(runs_[next]); })) continue;
      if (left) {
        ready.push_back(&runs_[next]);
      } else {
        set_done(next);
      }
    }
    if (!ready.empty()) workers_.start(ready);
  }

  bool take_ended() {
    const auto ended = workers_.ended();
    for (const LaunchedRun* run : ended) {
      const std::size_t index = index_of(*run);
      if (succeeds(index, [&] { hooks_.done(*run); })) set_done(index);
    }
    return !ended.empty();
  }

  // One that can't be begun or published takes nobody with it, as one that fails.
  bool succeeds(std::size_t index, const std::function<void()>& step) {
    try {
      step();
      return true;
    } catch (const Error& e) {
      if (e.cause() == Cause::interrupted) throw;
      states_[index] = State::failed;
      failures_.push_back(e);
      const bool others = any(State::started) || any(State::waiting);
      if (others || failures_.size() > 1) log_warning(fmt::format("{}; the others go on", e.what()));
      return false;
    }
  }

  void throw_failure() const {
    if (!failures_.empty()) throw failures_.front();
  }

  std::size_t first_ready() const {
    std::size_t i = 0;
    while (i < runs_.size() && (states_[i] != State::waiting || waits(runs_[i]))) ++i;
    return i;
  }

  bool waits(const LaunchedRun& run) const {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (states_[i] != State::done && std::ranges::find(run.after, runs_[i].name) != run.after.end()) return true;
    }
    return false;
  }

  bool any(State state) const { return std::ranges::find(states_, state) != states_.end(); }
  std::size_t index_of(const LaunchedRun& run) const { return static_cast<std::size_t>(&run - runs_.data()); }

  void set_done(std::size_t index) {
    states_[index] = State::done;
    share_[index] = 1;
  }

  void show() {
    std::vector<std::string> notes;
    double speed = 0;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (states_[i] != State::started) continue;
      const auto status = load_status(runs_[i].run);
      if (!status || status->updates <= 0) continue;
      share_[i] = static_cast<double>(status->update) / static_cast<double>(status->updates);
      if (status->state != RunPhase::running || status->update == 0) continue;  // of another trainer nothing is known
      speed += status->tokens_per_second;
      notes.push_back(fmt::format("{} loss {:.3f}", runs_[i].name, status->loss));
    }
    double total = 0;
    for (double share : share_) total += share;
    constexpr std::size_t kShown = 4;  // names that fit a line
    std::size_t more = notes.size() > kShown ? notes.size() - kShown : 0;
    notes.resize(notes.size() - more);
    const std::string rest = more ? fmt::format(" and {} more", more) : "";
    progress_.update(total, notes.empty()
                                ? ""
                                : fmt::format("{} tokens/s  {}{}", format_count(speed), fmt::join(notes, ", "), rest));
  }

  Workers& workers_;
  const std::vector<LaunchedRun>& runs_;
  const LaunchHooks& hooks_;
  std::vector<State> states_;
  std::vector<double> share_;  // of each run's updates done
  std::vector<Error> failures_;
  Progress progress_;
};

}  // namespace

bool launch(Workers& workers, const std::string& title, const std::vector<LaunchedRun>& runs, const LaunchHooks& hooks,
            const LaunchOptions& options) {
  if (runs.empty()) return true;
  Launch started(workers, title, runs, hooks, options.quiet);
  return options.watch ? started.watch() : started.start_once();
}

}  // namespace btm
