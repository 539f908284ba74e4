// Runs training jobs as processes of this machine.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace btm {

struct LaunchedRun {
  std::string name;           // for people
  std::filesystem::path run;  // its folder, with run.yaml
};

struct LocalLauncher {
  std::filesystem::path program;  // the btm that the workers run: `program train RUN`
  int workers = 1;                // at once
  bool quiet = false;
};

// Starts every run, at most `workers` at once in the given order, and calls `done` (in this thread) as each ends well.
// What a worker prints goes to RUN/log.txt. A worker that fails stops the others (they save first) and is thrown as an
// Error with its exit code's cause, its last line and the path of its log. On SIGINT or SIGTERM the workers are told to
// save, waited for, and Error(interrupted) is thrown. Workers die with this process.
void launch(const LocalLauncher& launcher, const std::string& title, const std::vector<LaunchedRun>& runs,
            const std::function<void(const LaunchedRun&)>& done);

}  // namespace btm
