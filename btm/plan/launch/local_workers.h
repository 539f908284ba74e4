// Training jobs as processes of this machine.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>

#include "btm/core/error.h"
#include "btm/plan/launch/gpu_sharing.h"
#include "btm/plan/launch/workers.h"

namespace btm {

// Runs `program train RUN` for each, at most share.workers at once; what a worker prints goes to RUN/log.txt.
// Destruction tells the workers to save and waits for them. They die with this process. Several GPUs are dealt out to
// them, one for each rank; where there are more workers than GPUs, these are shared.
class LocalWorkers : public Workers {
 public:
  LocalWorkers(std::filesystem::path program, const LauncherSettings& settings, const WorkerShare& share);
  ~LocalWorkers() override;
  LocalWorkers(const LocalWorkers&) = delete;
  LocalWorkers& operator=(const LocalWorkers&) = delete;

  std::size_t free() const override { return static_cast<std::size_t>(count_) - alive_.size(); }
  void start(const std::vector<const LaunchedRun*>& runs) override;
  std::vector<const LaunchedRun*> ended() override;

 private:
  struct Worker {
    const LaunchedRun* run;
    std::size_t gpus;  // index in gpus_
  };
  pid_t start(const LaunchedRun& run, std::size_t gpus) const;
  std::size_t least_used_gpus() const;
  void tell_failures();

  std::filesystem::path program_;
  LauncherSettings settings_;
  int count_;
  std::vector<std::string> gpus_;      // of a worker each, as names for CUDA_VISIBLE_DEVICES; empty: none
  std::optional<GpuSharing> sharing_;  // ends behind the workers
  std::map<pid_t, Worker> alive_;
  std::vector<Error> failures_;
  std::size_t seen_ = 0, told_ = 0;  // of failures_: by the last call of ended(), to the user
};

}  // namespace btm
