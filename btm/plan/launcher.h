// Runs training jobs as processes of this machine.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace btm {

struct LaunchedRun {
  std::string name;                     // for people
  std::filesystem::path run;            // its folder, with run.yaml
  std::vector<std::string> after = {};  // runs that must be done first; another name counts as done
};

// Called in the thread that launches.
struct LaunchHooks {
  // Before a run starts, so after all that it waits for; false: nothing is left to do for it.
  std::function<bool(const LaunchedRun&)> prepare = [](const LaunchedRun&) { return true; };
  std::function<void(const LaunchedRun&)> done = [](const LaunchedRun&) {};  // it ended well
};

struct LocalLauncher {
  std::filesystem::path program;  // the btm that the workers run: `program train RUN`
  int workers = 1;                // at once
  bool quiet = false;
};

// Starts every run, at most `workers` at once: always the first one in the given order that waits for nobody. What a
// worker prints goes to RUN/log.txt. A worker that fails stops the others (they save first) and is thrown as an Error
// with its exit code's cause, its last line and the path of its log. On SIGINT or SIGTERM the workers are told to save,
// waited for, and Error(interrupted) is thrown. Workers die with this process.
void launch(const LocalLauncher& launcher, const std::string& title, const std::vector<LaunchedRun>& runs,
            const LaunchHooks& hooks);

}  // namespace btm
