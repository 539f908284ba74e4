// Training jobs as jobs of a Slurm cluster.
#pragma once

#include <chrono>
#include <vector>

#include "btm/core/error.h"
#include "btm/plan/launch/launcher_settings.h"
#include "btm/plan/launch/slurm.h"
#include "btm/plan/launch/slurm_record.h"
#include "btm/plan/launch/workers.h"

namespace btm {

// Runs that may start together become a job array; what a job prints goes to RUN/log.txt. A run whose job is queued or
// at work already (RUN/slurm.json) is only watched. A job that was lost or failed, but for wrong input or because it
// was cancelled, is sent again: it goes on from the last checkpoint. That ends, and is thrown when the others have
// ended, after 1 + `retries` jobs that began at the same checkpoint, or as many refusals of Slurm in a row; the job
// that run_afterwards() queued keeps to it. Jobs outlive this object.
class SlurmWorkers : public Workers {
 public:
  // `folder` takes what Slurm prints of a job before it has begun; `threads` are those of a run. The controller is
  // asked for the jobs' states every `ask_every`; results are looked for at each call, and that of a job that ended
  // well may be `result_delay` on its way from another machine to this one.
  SlurmWorkers(std::filesystem::path program, LauncherSettings settings, int threads, std::filesystem::path folder,
               std::chrono::milliseconds ask_every = std::chrono::seconds(5),
               std::chrono::milliseconds result_delay = std::chrono::seconds(30))
      : program_(std::move(program)),
        settings_(std::move(settings)),
        threads_(threads),
        folder_(std::move(folder)),
        ask_every_(ask_every),
        result_delay_(result_delay) {}
  ~SlurmWorkers() override;
  SlurmWorkers(const SlurmWorkers&) = delete;
  SlurmWorkers& operator=(const SlurmWorkers&) = delete;

  std::size_t free() const override;
  void start(const std::vector<const LaunchedRun*>& runs) override;
  std::vector<const LaunchedRun*> ended() override;
  bool settled() const override;

  // Queues the command to run when the jobs alive have ended. Returns the id of its job.
  std::string run_afterwards(const std::vector<std::string>& command) const;

 private:
  struct Task {
    const LaunchedRun* run;
    SlurmRecord record;
    std::chrono::steady_clock::time_point missed = {};  // when its end without a result was first seen; epoch: not
    int refused = 0;                                    // times that Slurm did not take it again
  };
  using Tasks = std::vector<Task>;

  std::vector<std::string> options(const std::string& log) const;
  void submit(Tasks tasks);
  void submit_again();
  bool ask();
  void look_after(Task task);
  void look_at_end(Task task, const SlurmJob& job);
  void retry(Task task, const std::string& what);
  void give_up(Task task, Cause cause, const std::string& what);

  std::filesystem::path program_;
  LauncherSettings settings_;
  int threads_;
  std::filesystem::path folder_;
  std::chrono::milliseconds ask_every_, result_delay_;
  Tasks alive_, unsent_;
  std::map<std::string, SlurmJob> jobs_;
  std::chrono::steady_clock::time_point asked_ = {};
  bool reachable_ = true;  // the controller, when it was asked
  std::vector<Error> failures_;
};

}  // namespace btm
