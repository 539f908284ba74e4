// A plan and the forest that was grown so far: it goes on only from what it would have grown itself.
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

// Throws Error(input) if the published model is not what the task asks for. Who its parents were and where its data
// began was settled when it was branched. `remedy` stands behind "set it back, or".
void check_unchanged(const ExpertInfo& published, ModelTask task, const ForestBase& base, const std::string& remedy);

// Throws Error(input) if an expert to be trained has nobody to be branched from: branch.weights names one that neither
// the plan nor the forest has, or all experts of cycles before are removed. Needs nothing but the forest's log and
// experts, so that it is reported before any text is read. `forest`: the plan's, or what would be left of it.
void check_parents(const Plan& plan);
void check_parents(const Plan& plan, const Forest& forest);

// Throws Error(input) naming the first of the forest's models that the plan can't go on from: seed or an expert with
// another recipe, a baseline that stays as it is with another recipe, or an expert of a domain that the plan doesn't
// name, which its baselines would have to train on.
void check_published(const Plan& plan, const ForestBase& base);

// The plan's shape with its vocabulary: its own, that of a tokenizer that is there, or of the one to be trained.
ModelConfig planned_model(const Plan& plan);

// Throws Error(input) where the checkpoint or the tokenizer that the plan begins with can't be used: told before text
// is read. What was made of them already is not asked for again.
void check_sources(const Plan& plan);

// Throws Error(input) where growing the plan would refuse to begin, as far as it can be told without reading text.
void check_growable(const Plan& plan);

}  // namespace btm
