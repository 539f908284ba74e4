// Gets runs done by workers, each when those that it waits for are done.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "btm/plan/launch/workers.h"

namespace btm {

// Called in the thread that launches.
struct LaunchHooks {
  // Before a run starts, so after all that it waits for; false: nothing is left to do for it.
  std::function<bool(const LaunchedRun&)> prepare = [](const LaunchedRun&) { return true; };
  std::function<void(const LaunchedRun&)> done = [](const LaunchedRun&) {};  // it ended well
};

struct LaunchOptions {
  bool watch = true;  // until all are done; false: only starts those that wait for nobody
  bool quiet = false;
};

// Starts every run, as many at once as there are free workers: always the first ones in the given order that wait for
// nobody. Returns whether all are done, which they are if it watches. Throws the error of one that failed, in the hooks
// or as the workers tell it, when the others are done, and Error(interrupted) on SIGINT or SIGTERM.
bool launch(Workers& workers, const std::string& title, const std::vector<LaunchedRun>& runs, const LaunchHooks& hooks,
            const LaunchOptions& options);

}  // namespace btm
