// Trains models of a forest through the launcher, or takes them over from a neighbour that has them, and publishes each
// as it ends.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "btm/plan/jobs.h"
#include "btm/plan/launch/launcher.h"
#include "btm/plan/launch/launcher_settings.h"
#include "btm/plan/neighbours.h"
#include "btm/train/result.h"

namespace btm {

struct PendingModel {
  ModelTask task;
  std::filesystem::path init;  // folder with the initial weights; empty: random
  std::string init_sha256;
  std::vector<std::string> after = {};  // run names of others that must be published first
  // Fills in the parents and the initial weights, once `after` holds; null: they are there already.
  std::function<void(PendingModel&)> branch = nullptr;
};

// Where and how the models of a forest are trained.
struct TrainingPlace {
  std::filesystem::path program;  // the btm that the workers run: `program train RUN`
  LauncherSettings launcher;
  bool quiet = false;
  // Slurm: only queue what can be trained now, and behind it this command, which is to do the same again; empty: watch
  // until all is trained.
  std::vector<std::string> resubmit = {};
};

class Training {
 public:
  // All three outlive this.
  Training(const ForestBase& base, const Neighbours& neighbours, const TrainingPlace& place)
      : base_(base), neighbours_(neighbours), place_(place) {}

  // In the given order. Returns whether all are trained and published, which they are unless the place resubmits.
  // `together`: where some wait for others, how many they are with those that are published, so that a late one has the
  // threads, and so ends with the bytes, that it would have had without a stop.
  bool train(const std::string& title, std::vector<PendingModel> models, std::size_t together = 0);

  int trained() const { return trained_; }  // models, in all calls

 private:
  bool launch_all(const std::string& title, const std::vector<LaunchedRun>& runs, const LaunchHooks& hooks,
                  WorkerShare share) const;
  void branch_first(std::vector<PendingModel>& models) const;
  bool take_over(const ModelTask& task) const;
  void prepare_run(const PendingModel& model, const WorkerShare& share) const;
  void finish(const ModelTask& task) const;
  void publish(const ModelTask& task, const TrainingResult& result) const;

  const ForestBase& base_;
  const Neighbours& neighbours_;
  const TrainingPlace& place_;
  int trained_ = 0;
};

}  // namespace btm
