// Trains models of a forest through the launcher, or takes them over from a neighbour that has them, and publishes each
// as it ends.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "btm/plan/jobs.h"
#include "btm/plan/launcher.h"
#include "btm/plan/neighbours.h"

namespace btm {

struct PendingModel {
  ModelTask task;
  std::filesystem::path init;  // folder with the initial weights; empty: random
  std::string init_sha256;
  std::vector<std::string> after = {};  // run names of others that must be published first
  // Fills in the parents and the initial weights, once `after` holds; null: they are there already.
  std::function<void(PendingModel&)> branch = nullptr;
};

class Training {
 public:
  // All three outlive this; the launcher's workers are set for each call.
  Training(const ForestBase& base, const Neighbours& neighbours, const LocalLauncher& launcher)
      : base_(base), neighbours_(neighbours), launcher_(launcher) {}

  // In the given order, at most `workers` at once, which split the cores. Gives the number of models trained here.
  int train(const std::string& title, std::vector<PendingModel> models, int workers);

 private:
  void branch_first(std::vector<PendingModel>& models) const;
  bool take_over(const ModelTask& task) const;
  void prepare_run(const PendingModel& model, int threads) const;
  void finish(const ModelTask& task) const;
  void publish(const ModelTask& task, const TrainingResult& result) const;

  const ForestBase& base_;
  const Neighbours& neighbours_;
  const LocalLauncher& launcher_;
};

// Of a comparison's model; of all models of a DEMix comparison.
std::filesystem::path comparison_folder(const ForestPaths& paths, const ModelTask& task);

}  // namespace btm
