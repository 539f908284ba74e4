#include "btm/plan/baselines.h"

#include <algorithm>
#include <set>

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
    task.training.random_seed = own_random_seed(task);  // no two start alike, whoever else is there
    task.tokens = expert.tokens + forest.seed->tokens / count;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

std::vector<std::string> domains_of(const ExpertInfo& info) {
  std::vector<std::string> domains;
  for (const auto& [domain, sha256] : info.recipe["domains"].items()) domains.push_back(domain);
  return domains;
}

// One model that was trained with the compute of more experts than there are now stays as it is.
void keep_published(const ComparisonSettings& settings, const ForestPaths& paths, ModelTask& task) {
  const auto published = published_comparison(paths, task);
  const bool one = task.set.empty() || task.demix;
  if (!one || !published || settings.tokens > 0) return;
  std::vector<std::string> domains = domains_of(*published);
  const auto tokens = published->recipe.value("tokens", std::int64_t{0});
  const bool covers = std::ranges::all_of(task.domains, [&domains](const std::string& domain) {
    return std::ranges::find(domains, domain) != domains.end();
  });
  if (!covers || tokens < task.tokens) return;
  task.domains = std::move(domains);
  task.tokens = tokens;
}

// Whether one of the models had other data.
bool any_outgrown(const ForestPaths& paths, const std::vector<ModelTask>& tasks) {
  return std::ranges::any_of(tasks, [&paths](const ModelTask& task) {
    const auto published = published_comparison(paths, task);
    if (!published) return false;
    const Json part = task.parts > 1 ? Json{task.part, task.parts} : Json();
    const Json& then = published->recipe;
    return domains_of(*published) != task.domains || then["tokens"] != task.tokens ||
           then.value("part", Json()) != part;
  });
}

// Whether a set has models of experts that are no more.
bool any_unwanted(const ForestPaths& paths, const std::filesystem::path& folder, const std::vector<ModelTask>& tasks) {
  const bool set = !tasks.front().set.empty() && !tasks.front().demix;
  if (!set || !std::filesystem::exists(folder)) return false;
  std::set<std::filesystem::path> wanted;
  for (const ModelTask& task : tasks) wanted.insert(comparison_folder(paths, task));
  return std::ranges::any_of(std::filesystem::directory_iterator(folder), [&wanted](const auto& entry) {
    return is_published(entry.path()) && !wanted.contains(entry.path());
  });
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

std::optional<ExpertInfo> published_comparison(const ForestPaths& paths, const ModelTask& task) {
  const std::filesystem::path model = first_model_folder(paths, task);
  return is_published(model) ? std::optional(load_expert(model)) : std::nullopt;
}

ComparisonState comparison_state(const ComparisonSettings& settings, const Forest& forest, int context) {
  ComparisonState state{comparison_tasks(settings, forest, context)};
  if (state.tasks.empty()) return state;
  keep_published(settings, forest.paths, state.tasks.front());
  state.outgrown = any_outgrown(forest.paths, state.tasks) ||
                   any_unwanted(forest.paths, forest.paths.comparison(comparison_name(settings)), state.tasks);
  return state;
}

}  // namespace btm
