// What growing a plan will take, told before any work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "btm/forest/forest.h"
#include "btm/plan/plan.h"
#include "btm/plan/room.h"

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
  std::vector<TrainingGroup> groups;  // of what is to be trained, one after the other; empty: nothing is
};

TrainingGroup largest(const Forecast& forecast);    // the group that takes the most memory, of a GPU where it uses one
double model_bytes(const Forecast& forecast);       // of all models on disk
double checkpoint_bytes(const Forecast& forecast);  // on disk, at most at a time

// Throws Error(input) where this machine has less memory, or the forest's disk less room. (A cluster's machines are
// their own.)
void require_room(const Plan& plan, const Forecast& forecast);

ForecastStep sum_of(const std::vector<ForecastStep>& steps);

// Of what the forest of the plan does not have yet; `model`: planned_model(), `forest`: forest_so_far()
// (planned_forest.h). Reads no text. Throws Error(input) where a baseline's batch is larger than the tokens that it
// gets.
Forecast forecast(const Plan& plan, const ModelConfig& model, const Forest& forest);

}  // namespace btm
