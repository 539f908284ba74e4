// What growing a plan will take, told before any work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "btm/plan/jobs.h"
#include "btm/plan/plan.h"
#include "btm/plan/workers.h"

namespace btm {

struct ForecastStep {
  std::string name;          // seed, cycle 1, dense, ...
  int models = 0;            // that are not there yet
  std::int64_t tokens = 0;   // of all of them together
  std::int64_t updates = 0;  // likewise
  double flops = 0;
};

// What training a model takes, in bytes.
struct TrainingMemory {
  double host = 0;  // of the machine's memory, for all its ranks
  double gpu = 0;   // of each rank's GPU; 0 on the CPU
};

// Models that are trained in one go.
struct ForecastGroup {
  int workers = 1;  // at once
  int threads = 1;  // of each, over its ranks
  bool on_gpu = false, recompute = false;
  TrainingMemory memory;        // of the largest of them
  double checkpoint_bytes = 0;  // of those that train at once
};

struct Forecast {
  ModelConfig model;  // resolved
  std::vector<ForecastStep> steps;
  std::vector<ForecastGroup> groups;  // of what is to be trained; empty: nothing is
  double disk_bytes = 0;              // of the models; text and tokens come to it
};

ForecastGroup largest(const Forecast& forecast);  // the group that takes the most memory, of a GPU where it uses one

ForecastStep sum_of(const std::vector<ForecastStep>& steps);

// Of what the forest of the plan does not have yet. Reads no text; the tokenizer only if it is there. Throws
// Error(input) where the plan can't go on from what the forest has (published.h).
Forecast forecast(const Plan& plan);

TrainingMemory training_memory(const ModelTask& task, const ModelConfig& model, const WorkerShare& share, int ranks);

// Of a model's published folder; of the checkpoints that its run keeps.
double model_bytes(const ModelTask& task, const ModelConfig& model);
double checkpoint_bytes(const ModelTask& task, const ModelConfig& model);

// Throws Error(input) if `workers` models at once, of `ranks` each, take more memory than this machine or its GPUs
// have; of a forecast, any of its groups.
void require_memory(const TrainingMemory& each, int workers, int ranks, bool recompute);
void require_memory(const Forecast& forecast, int ranks);

// Throws Error(input) if the file system of the folder, which need not be there, has less room left.
void require_disk(const std::filesystem::path& folder, double bytes);

}  // namespace btm
