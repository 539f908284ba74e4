// The forest as it is and as the plan will have it.
#pragma once

#include <string>
#include <vector>

#include "btm/forest/forest.h"
#include "btm/plan/jobs.h"
#include "btm/plan/plan.h"

namespace btm {

Forest forest_so_far(const ForestPaths& paths);  // one without seed and experts where none was merged yet

// Whether an expert of the plan was removed for good, so that it isn't grown again, whatever was imported under its
// name since.
bool was_removed(const Forest& forest, const std::string& name);

// Whom an expert of the plan's cycle `number` (from 1) may be branched from: a function of the plan, not of who happens
// to be there yet. Imported experts count as there before any cycle.
std::vector<const ExpertInfo*> candidates(const CycleSettings& cycle, int number, const Forest& forest);

// The forest as the plan will have it, as far as its baselines ask: whom it has, with their domains and tokens.
Forest planned_forest(const Plan& plan, Forest forest, const ModelConfig& model);

// The plan's shape with its vocabulary: its own, that of a tokenizer that is there, or of the one to be trained.
ModelConfig planned_model(const Plan& plan);

}  // namespace btm
