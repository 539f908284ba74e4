#include "btm/plan/jobs.h"

#include <algorithm>
#include <functional>

#include "btm/core/random.h"
#include "btm/model/checkpoint.h"
#include "btm/train/result.h"
#include "btm/version.h"

namespace btm {
namespace {

const DomainReport& report_of(const std::vector<DomainReport>& reports, const std::string& domain) {
  for (const DomainReport& report : reports) {
    if (report.name == domain) return report;
  }
  throw input_error(
      "domain {}: models of the forest are trained on it, but the plan doesn't name it; put it back "
      "(domains.{}.text)",
      domain, domain);
}

}  // namespace

ModelTask seed_task(const Plan& plan) {
  ModelTask task;
  task.name = task.kind = kSeedName;
  task.tokens = plan.seed.tokens;
  task.training = plan.seed.training;
  if (!plan.model.from.empty() && !is_model_away(plan)) task.init_sha256 = weights_sha256(plan.model.from);
  task.domains = seed_domains(plan);
  return task;
}

ModelTask expert_task(const Plan& plan, std::size_t index, const std::string& name) {
  const CycleSettings& cycle = plan.cycles[index];
  ModelTask task;
  task.name = name;
  task.kind = kExpertKind;
  task.cycle = static_cast<int>(index) + 1;
  task.domains = {name};
  task.tokens = cycle.tokens;
  task.training = cycle.training;
  task.branch = settings_json(cycle.branch);
  return task;
}

std::int64_t round_after_seed(const ModelTask& task, const ExpertInfo& seed, int context) {
  if (!seed.recipe.is_object()) return 0;  // only planned so far
  const Json training = seed.recipe.value("training", Json::object());
  if (training.value("random_seed", task.training.random_seed) != task.training.random_seed) return 0;
  const std::size_t places = std::min(task.domains.size(), seed.domains.size());
  if (std::equal(task.domains.begin(), task.domains.begin() + static_cast<std::ptrdiff_t>(places), seed.domains.begin(),
                 std::not_equal_to<>())) {
    return 0;
  }
  const auto domains = static_cast<std::int64_t>(seed.domains.size());
  return (seed.tokens / context + domains - 1) / domains;
}

std::int64_t own_random_seed(const ModelTask& task) {
  Random random(static_cast<std::uint64_t>(task.training.random_seed), "expert " + task.name);
  return static_cast<std::int64_t>(random.below(std::uint64_t{1} << 31));
}

std::string run_name(const ModelTask& task) {
  return task.set.empty() || task.demix ? task.name : task.set + "-" + task.name;
}

std::filesystem::path comparison_folder(const ForestPaths& paths, const ModelTask& task) {
  if (task.set.empty() || task.demix) return paths.comparison(task.name);
  return paths.comparison(task.set) / task.name;
}

std::filesystem::path first_model_folder(const ForestPaths& paths, const ModelTask& task) {
  const std::filesystem::path folder = comparison_folder(paths, task);
  return task.demix ? folder / task.domains.front() : folder;
}

Json recipe_of(const ModelTask& task, const ForestBase& base) {
  Json recipe;
  recipe["model"] = shape_json(base.model);
  recipe["tokenizer_sha256"] = base.tokenizer_sha256;
  recipe["parents"] = Json::array();
  for (const Parent& parent : task.parents) {
    recipe["parents"].push_back({{"name", parent.name}, {"weight", parent.weight}, {"sha256", parent.sha256}});
  }
  if (!task.init_sha256.empty()) recipe["init_sha256"] = task.init_sha256;
  if (!task.branch.is_null()) recipe["branch"] = task.branch;
  recipe["domains"] = Json::object();
  for (const std::string& domain : task.domains)
    recipe["domains"][domain] = report_of(base.domains, domain).train_sha256;
  recipe["tokens"] = task.tokens;
  recipe["training"] = settings_json(task.training);
  for (const char* key : kWithoutEffectOnWeights) recipe["training"].erase(key);
  if (task.first_round > 0) recipe["first_round"] = task.first_round;
  if (task.parts > 1) recipe["part"] = {task.part, task.parts};
  if (task.demix) recipe["demix"] = true;
  if (!base.trainer.empty()) recipe["trainer"] = base.trainer;
  return recipe;
}

TrainingResult planned_result(const ModelTask& task, const ModelConfig& model) {
  if (task.tokens == 0) return {};
  TrainingJob job;
  job.model = model;
  job.training = task.training;
  job.tokens = task.tokens;
  return planned_result(job);
}

TrainingJob job_of(const ModelTask& task, const ForestBase& base, const std::filesystem::path& init,
                   const std::string& init_sha256, int threads) {
  TrainingJob job;
  job.name = task.name;
  job.init = init;
  job.init_sha256 = init_sha256;
  job.tokenizer = base.paths.tokenizer();
  job.model = base.model;
  job.training = task.training;
  job.tokens = task.tokens;
  job.threads = threads;
  job.first_round = task.first_round;
  job.part = task.part;
  job.parts = task.parts;
  job.demix = task.demix;
  job.trainer = base.trainer;
  job.tensorboard = base.paths.tensorboard(run_name(task));
  for (const std::string& domain : task.domains) {
    job.data.push_back({domain, base.paths.tokens(domain), report_of(base.domains, domain).train_sha256});
  }
  return job;
}

ExpertInfo info_of(const ModelTask& task, const ForestBase& base, const TrainingResult& result) {
  ExpertInfo info;
  info.name = task.name;
  info.kind = task.kind;
  info.domains = task.domains;
  info.cycle = task.cycle;
  info.parents = task.parents;
  info.tokenizer_sha256 = base.tokenizer_sha256;
  info.recipe = recipe_of(task, base);
  info.recipe_sha256 = recipe_sha256(info.recipe);
  info.tokens = result.tokens;
  info.updates = result.updates;
  info.flops = result.flops;
  info.device_seconds = result.device_seconds;
  info.threads = result.threads;
  info.precision = result.precision;
  info.device = result.device;
  info.dev_loss = result.dev_loss;
  info.tool_version = kVersion;
  return info;
}

}  // namespace btm
