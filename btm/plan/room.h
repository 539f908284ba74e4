// What models that train at once take of memory and disk, and whether it is there.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "btm/plan/jobs.h"
#include "btm/plan/launch/workers.h"

namespace btm {

// What training a model takes, in bytes.
struct TrainingMemory {
  double host = 0;  // of the machine's memory, for all its ranks
  double gpu = 0;   // of each rank's GPU; 0 on the CPU
};

// Models that are trained in one go.
struct TrainingGroup {
  WorkerShare share = {1, 1};
  int ranks = 1;  // of each model
  bool recompute = false;
  TrainingMemory memory;        // of the largest of them
  double model_bytes = 0;       // of all their published folders
  double checkpoint_bytes = 0;  // that the runs of those at work keep
};

// `together`: at least so many count where cores are split among them, though fewer are to be trained (see
// Training::train). Throws Error(input) where the launcher asks for GPUs that aren't there.
TrainingGroup training_group(const std::vector<ModelTask>& tasks, const ModelConfig& model,
                             const LauncherSettings& launcher, std::size_t together);

// Throws Error(input) if this machine or its GPUs have less memory.
void require_memory(const TrainingGroup& group);

// Throws Error(input) if the forest's file system has less room left; its folder need not be there. What its runs take
// counts as room: who goes on with them writes in place of it.
void require_disk(const ForestPaths& forest, double bytes);

}  // namespace btm
