#include "btm/mixture/comparison_members.h"

#include <algorithm>

#include "btm/forest/lineage.h"
#include "btm/forest/published_comparisons.h"
#include "btm/model/checkpoint.h"
#include "btm/model/demix.h"

namespace btm {
namespace {

Json training_of(const std::vector<const ExpertInfo*>& models, std::int64_t synchronised_parameters) {
  std::int64_t tokens = 0, updates = 0;
  double flops = 0, seconds = 0, wall_seconds = 0;
  bool known = true;  // the threads of all
  for (const ExpertInfo* model : models) {
    tokens += model->tokens;
    updates += model->updates;
    flops += model->flops;
    seconds += model->device_seconds;
    wall_seconds += model->device_seconds / std::max(1, model->threads);
    known = known && (model->threads > 0 || model->updates == 0);
  }
  Json training = {{"tokens", tokens}, {"updates", updates}, {"flops", flops}, {"device_seconds", seconds}};
  if (known && wall_seconds > 0) training["updates_per_second"] = static_cast<double>(updates) / wall_seconds;
  training["bytes_per_update"] = synchronised_parameters * static_cast<std::int64_t>(sizeof(float));
  return training;
}

ModelConfig config_of(const Comparison& comparison) {
  return load_config(comparison.members.front().sources.front().folder);
}

bool starts_from_seed(const ExpertInfo& info) {
  return std::ranges::any_of(info.parents, [](const Parent& parent) { return parent.name == kSeedName; });
}

}  // namespace

std::vector<Comparison> find_comparisons(const Forest& forest) {
  std::vector<Comparison> comparisons;
  for (PublishedComparison& published : published_comparisons(forest.paths)) {
    Comparison& comparison = comparisons.emplace_back(Comparison{published.name, {}, {}, published.demix});
    for (ComparisonModel& model : published.models) {
      comparison.members.push_back(single_member(model.name, model.folder, model.info.weights_sha256));
      comparison.models.push_back(std::move(model.info));
    }
  }
  return comparisons;
}

Json training_of(const Forest& forest) {
  std::vector<const ExpertInfo*> all;
  if (forest.seed) all.push_back(&*forest.seed);
  for (const ExpertInfo& expert : forest.experts) all.push_back(&expert);
  const std::vector<ExpertInfo> removed = removed_ancestors(forest);
  for (const ExpertInfo& expert : removed) all.push_back(&expert);
  return training_of(all, 0);
}

Json training_of_seed(const Forest& forest) {
  return training_of({&*forest.seed}, parameter_count(load_config(forest.paths.seed())));
}

Json training_of(const Comparison& comparison, const Forest& forest) {
  const ModelConfig config = config_of(comparison);
  std::vector<const ExpertInfo*> runs;
  for (const ExpertInfo& model : comparison.models) {
    if (runs.empty() || !comparison.demix) runs.push_back(&model);  // DEMix's models come out of one run
  }
  if (forest.seed && starts_from_seed(comparison.models.front())) runs.push_back(&*forest.seed);
  const std::int64_t all = parameter_count(config);
  return training_of(runs, comparison.demix ? all - feed_forward_parameters(config) : comparison.mixed() ? 0 : all);
}

double models_loaded(const Comparison& comparison) {
  const auto models = static_cast<double>(comparison.members.size());
  if (!comparison.demix) return models;
  const ModelConfig config = config_of(comparison);
  const double own =
      static_cast<double>(feed_forward_parameters(config)) / static_cast<double>(parameter_count(config));
  return 1 - own + models * own;
}

}  // namespace btm
