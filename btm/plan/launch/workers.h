// Where runs are worked on: processes of this machine, or jobs of a cluster.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "btm/plan/launch/launcher_settings.h"
#include "btm/train/settings.h"

namespace btm {

struct LaunchedRun {
  std::string name;                     // for people
  std::filesystem::path run;            // its folder, with run.yaml
  std::vector<std::string> after = {};  // runs that must be done first; another name counts as done
};

class Workers {
 public:
  virtual ~Workers() = default;

  // Runs that may be started now.
  virtual std::size_t free() const = 0;

  // The runs begin, or wait for their turn in a queue; they outlive the workers.
  virtual void start(const std::vector<const LaunchedRun*>& runs) = 0;

  // Runs that ended well since the last call; returns at once. One that fails takes nobody with it: when all others
  // have ended, and none was started since the last call, throws an Error that names the run, its last line, the path
  // of its log, with the cause that its exit code tells.
  virtual std::vector<const LaunchedRun*> ended() = 0;

  // Whether ended() has come to know what became of each that has ended.
  virtual bool settled() const { return true; }
};

// How many models are trained at once, and the threads of each rank of each.
struct WorkerShare {
  int workers, threads;
  bool on_gpu = false;  // as far as is known here: a cluster's nodes may have one
  int gpu_share = 100;  // of each, percent of its multiprocessors: see take_share_of_gpu()
};
WorkerShare share_of(const LauncherSettings& settings, Precision precision, int models);

// The words before `train RUN ...` that start the workers of a run: the program alone, or under MPI's starter.
std::vector<std::string> worker_command(const std::filesystem::path& program, const LauncherSettings& settings);

// The words after `train RUN`. A worker waits for another one of its run: a coordinator that was killed, or a node that
// was lost, leaves one behind that still saves, or even trains to the end.
std::vector<std::string> worker_options(const LauncherSettings& settings);

// What a worker printed last, for messages.
std::string last_line(const std::filesystem::path& log);

}  // namespace btm
