#include "btm/plan/planned_forest.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/data/tokenizer.h"
#include "btm/train/result.h"

namespace btm {

Forest forest_so_far(const ForestPaths& paths) {
  return fs::exists(paths.log()) ? open_forest(paths.root) : Forest{paths, {}, {}, {}, {}};
}

std::vector<const ExpertInfo*> candidates(const CycleSettings& cycle, int number, const Forest& forest) {
  std::vector<const ExpertInfo*> found;
  for (const ExpertInfo& expert : forest.experts) {
    const bool named = std::ranges::find(cycle.after, expert.name) != cycle.after.end();
    const bool before = expert.imported || expert.cycle < number;
    if (cycle.after.empty() ? before : named) found.push_back(&expert);
  }
  return found;
}

bool was_removed(const Forest& forest, const std::string& name) {
  return std::ranges::find(forest.removed_for_good, name) != forest.removed_for_good.end();
}

Forest planned_forest(const Plan& plan, Forest forest, const ModelConfig& model) {
  if (!forest.seed) {
    ModelTask seed;  // not seed_task(), which reads model.from
    seed.tokens = plan.seed.tokens;
    seed.training = plan.seed.training;
    forest.seed.emplace();
    forest.seed->tokens = planned_result(seed, model).tokens;
    forest.seed->domains = seed_domains(plan);
  }
  for (std::size_t i = 0; i < plan.cycles.size(); ++i) {
    for (const std::string& name : plan.cycles[i].experts) {
      if (forest.find(name) || was_removed(forest, name)) continue;
      ExpertInfo& expert = forest.experts.emplace_back();
      expert.name = name;
      expert.domains = {name};
      expert.tokens = planned_result(expert_task(plan, i, name), model).tokens;
    }
  }
  return forest;
}

ModelConfig planned_model(const Plan& plan) {
  ModelConfig config = plan.model.config;
  if (config.vocab_size == 0) {
    const fs::path there = ForestPaths{plan.forest}.tokenizer();
    if (fs::exists(there)) {
      config.vocab_size = Tokenizer::load(there).vocab_size();
    } else if (!plan.tokenizer.from.empty()) {
      config.vocab_size = Tokenizer::load(plan.tokenizer.from).vocab_size();
    } else {
      config.vocab_size = plan.tokenizer.vocab_size;
    }
  }
  return resolve(config);
}

}  // namespace btm
