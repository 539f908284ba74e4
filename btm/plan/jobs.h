// From the plan to the training of each model: its recipe (what the weights depend on) and its job (how it runs here).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "btm/data/prepare.h"
#include "btm/forest/expert.h"
#include "btm/forest/paths.h"
#include "btm/plan/plan.h"
#include "btm/train/result.h"
#include "btm/train/run_training.h"

namespace btm {

// What all models of a forest have in common.
struct ForestBase {
  ForestPaths paths;
  ModelConfig model;
  std::string tokenizer_sha256;
  std::vector<DomainReport> domains;  // those with tokens
  std::string trainer = {};           // command of TrainerSettings
};

// One model to train: the seed, an expert or a comparison.
struct ModelTask {
  std::string name;
  std::string kind;  // as ExpertInfo::kind
  std::string set;   // a comparison of several models: its name, which is that of their folder
  int cycle = 0;
  std::vector<std::string> domains;
  std::vector<Parent> parents;  // none: random weights, or those of init_sha256
  std::string init_sha256;      // of a checkpoint from outside the forest (model.from); else ""
  Json branch;                  // BranchSettings, for experts
  std::int64_t tokens = 0;
  TrainingSettings training;
  std::int64_t first_round = 0;  // see TrainingJob, as the next
  int part = 0, parts = 1;
  bool demix = false;  // one run that leaves a model for each domain
};

// The plan's seed, and its expert `name` of the cycle at `index`; without the experts' parents, who are found when they
// are there (branch.h). The baselines are in baselines.h.
ModelTask seed_task(const Plan& plan);
ModelTask expert_task(const Plan& plan, std::size_t index, const std::string& name);

// Where the data of a descendant of the seed begins, so that it is not the seed's over again: behind the rounds that
// the seed was trained on, where both read a domain in the same order (sequences.h: by random seed and the domain's
// place).
std::int64_t round_after_seed(const ModelTask& task, const ExpertInfo& seed, int context);

// The random seed of an expert from random weights, drawn from the plan's and its name, so that no two start alike.
std::int64_t own_random_seed(const ModelTask& task);

std::string run_name(const ModelTask& task);  // of its folder in runs/

// Of a comparison's model; of all models of a DEMix comparison.
std::filesystem::path comparison_folder(const ForestPaths& paths, const ModelTask& task);

// The same, but of a DEMix comparison its first domain's model: all have one recipe.
std::filesystem::path first_model_folder(const ForestPaths& paths, const ModelTask& task);

// What the weights of the task's model depend on, in a fixed order of keys; no paths, no times, no thread counts.
Json recipe_of(const ModelTask& task, const ForestBase& base);

// What training it takes; nothing for a seed without tokens.
TrainingResult planned_result(const ModelTask& task, const ModelConfig& model);

// The job file for the trainer. `init` is the folder with the initial weights; empty: random.
TrainingJob job_of(const ModelTask& task, const ForestBase& base, const std::filesystem::path& init,
                   const std::string& init_sha256, int threads);

// expert.json of a finished run, but for the hash of the weights.
ExpertInfo info_of(const ModelTask& task, const ForestBase& base, const TrainingResult& result);

}  // namespace btm
