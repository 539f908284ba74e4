// Training jobs as processes of this machine.
#pragma once

#include <sys/types.h>

#include <map>

#include "btm/plan/workers.h"

namespace btm {

// Runs `program train RUN` for each, at most `count` at once; what a worker prints goes to RUN/log.txt. Destruction
// tells the workers to save and waits for them. They die with this process.
class LocalWorkers : public Workers {
 public:
  LocalWorkers(std::filesystem::path program, const LauncherSettings& settings, int count)
      : program_(std::move(program)), settings_(settings), count_(count) {}
  ~LocalWorkers() override;
  LocalWorkers(const LocalWorkers&) = delete;
  LocalWorkers& operator=(const LocalWorkers&) = delete;

  std::size_t free() const override { return static_cast<std::size_t>(count_) - alive_.size(); }
  void start(const std::vector<const LaunchedRun*>& runs) override;
  std::vector<const LaunchedRun*> ended() override;

 private:
  pid_t start(const LaunchedRun& run) const;

  std::filesystem::path program_;
  LauncherSettings settings_;
  int count_;
  std::map<pid_t, const LaunchedRun*> alive_;
};

}  // namespace btm
