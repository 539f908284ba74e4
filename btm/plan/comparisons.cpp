#include "btm/plan/comparisons.h"

#include <algorithm>

#include "btm/forest/lineage.h"

namespace btm {
namespace {

std::int64_t expert_tokens(const Forest& forest) {
  std::int64_t sum = 0;
  for (const ExpertInfo& expert : forest.experts) sum += expert.tokens;
  for (const ExpertInfo& expert : removed_ancestors(forest)) sum += expert.imported ? 0 : expert.tokens;
  return sum;
}

// The seed's domains, then those that only experts have.
std::vector<std::string> all_domains(const Forest& forest) {
  std::vector<std::string> all = forest.seed->domains;
  for (const ExpertInfo& expert : forest.experts) {
    for (const std::string& domain : expert.domains) {
      if (std::find(all.begin(), all.end(), domain) == all.end()) all.push_back(domain);
    }
  }
  return all;
}

ModelTask joint_task(const ComparisonSettings& settings, const Forest& forest, int context) {
  ModelTask task;
  task.domains = all_domains(forest);
  task.training = settings.training;
  if (settings.from == Start::seed) {
    task.parents = {{kSeedName, 1, forest.seed->weights_sha256}};
    task.first_round = round_after_seed(task, *forest.seed, context);
  }
  return task;
}

std::vector<ModelTask> random_split(const ComparisonSettings& settings, const Forest& forest, int context) {
  std::vector<ModelTask> tasks;
  const auto parts = static_cast<int>(forest.experts.size());
  for (int part = 0; part < parts; ++part) {
    ModelTask task = joint_task(settings, forest, context);
    task.name = fmt::format("part_{}", part + 1);
    task.tokens = forest.experts[static_cast<std::size_t>(part)].tokens;
    task.part = part;
    task.parts = parts;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

std::vector<ModelTask> random_init(const ComparisonSettings& settings, const Forest& forest) {
  std::vector<ModelTask> tasks;
  const auto count = static_cast<std::int64_t>(forest.experts.size());
  for (const ExpertInfo& expert : forest.experts) {
    ModelTask task;
    task.name = expert.name;
    task.domains = expert.domains;
    task.training = settings.training;
    task.training.random_seed += static_cast<std::int64_t>(tasks.size()) + 1;  // no two start alike
    task.tokens = expert.tokens + forest.seed->tokens / count;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace

std::string comparison_name(const ComparisonSettings& settings) {
  std::string name(to_word(settings.model));
  const bool joint = settings.model == Baseline::dense || settings.model == Baseline::demix;
  return joint && settings.from == Start::random ? name + "_from_random" : name;
}

std::vector<ModelTask> comparison_tasks(const ComparisonSettings& settings, Forest forest, int context) {
  std::erase_if(forest.experts, [](const ExpertInfo& expert) { return expert.imported.has_value(); });
  std::vector<ModelTask> tasks;
  if (forest.experts.empty()) return tasks;
  if (settings.model == Baseline::random_split) {
    tasks = random_split(settings, forest, context);
  } else if (settings.model == Baseline::random_init) {
    tasks = random_init(settings, forest);
  } else {
    ModelTask task = joint_task(settings, forest, context);
    task.name = comparison_name(settings);
    task.tokens = expert_tokens(forest) + (task.parents.empty() ? forest.seed->tokens : 0);
    if (settings.tokens > 0) task.tokens = settings.tokens;
    task.demix = settings.model == Baseline::demix;
    tasks.push_back(std::move(task));
  }
  for (ModelTask& task : tasks) {
    task.kind = comparison_name(settings);
    if (settings.model != Baseline::dense) task.set = task.kind;
  }
  return tasks;
}

}  // namespace btm
