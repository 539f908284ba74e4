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

struct Forecast {
  ModelConfig model;  // resolved
  std::vector<ForecastStep> steps;
  int workers = 1;  // models trained at once
  int threads = 1;  // of each, over its ranks
  bool on_gpu = false;
  double memory_bytes = 0;      // of one that trains, over its ranks
  double disk_bytes = 0;        // of the models; text and tokens come to it
  double checkpoint_bytes = 0;  // of those that train at once
};

ForecastStep sum_of(const std::vector<ForecastStep>& steps);

// Of what the forest of the plan does not have yet. Reads no text; the tokenizer only if it is there.
Forecast forecast(const Plan& plan);

// Of this machine's memory, for the processes (ranks) that train the model; of its published folder; of the checkpoints
// that a run keeps.
double training_bytes(const ModelTask& task, const ModelConfig& model, const WorkerShare& share, int ranks);
double model_bytes(const ModelTask& task, const ModelConfig& model);
double checkpoint_bytes(const ModelTask& task, const ModelConfig& model);

// Throws Error(input) if `workers` models of so many bytes each take more memory than this machine has.
void require_memory(double bytes_each, int workers, bool recompute);

// Throws Error(input) if the file system of the folder, which need not be there, has less room left.
void require_disk(const std::filesystem::path& folder, double bytes);

}  // namespace btm
