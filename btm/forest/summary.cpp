#include "btm/forest/summary.h"

#include <algorithm>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/forest/curve.h"
#include "btm/forest/lineage.h"
#include "btm/forest/published_comparisons.h"
#include "btm/model/checkpoint.h"

namespace btm {
namespace {

// What is known of a model without its folder; the parents under their names in the lineage.
Json place_of(const ExpertInfo& info, const std::string& id, const Json& parents) {
  return {{"name", id},
          {"kind", info.kind},
          {"cycle", info.cycle},
          {"parents", parents},
          {"domains", info.domains},
          {"tokens", info.tokens},
          {"updates", info.updates},
          {"flops", info.flops},
          {"device_seconds", info.device_seconds},
          {"dev_loss", info.dev_loss}};
}

void add_folder(Json& model, const fs::path& folder) {
  if (fs::exists(folder / kConfigFile)) model["parameters"] = parameter_count(load_config(folder));
  model["curve"] = training_curve(folder / kMetricsFile);
}

Json parents_of(const Lineage& lineage, const LineageNode& node) {
  Json parents = Json::array();
  for (const LineageEdge& edge : node.parents) {
    parents.push_back({{"name", lineage.nodes[edge.parent].id}, {"weight", edge.weight}});
  }
  return parents;
}

Json parents_of(const ExpertInfo& info) {
  Json parents = Json::array();
  for (const Parent& parent : info.parents) parents.push_back({{"name", parent.name}, {"weight", parent.weight}});
  return parents;
}

Json model_of(const ComparisonModel& published) {
  Json model = place_of(published.info, published.name, parents_of(published.info));
  add_folder(model, published.folder);
  return model;
}

// One run has left it, in a folder for each domain.
Json demix_of(const PublishedComparison& comparison) {
  Json model = model_of(comparison.models.front());
  model["name"] = comparison.name;
  model["domains"] = Json::array();
  for (const ComparisonModel& part : comparison.models) {
    for (const std::string& domain : part.info.domains) model["domains"].push_back(domain);
  }
  return model;
}

Json comparisons_of(const ForestPaths& paths) {
  Json comparisons = Json::array();
  for (const PublishedComparison& comparison : published_comparisons(paths)) {
    if (comparison.demix) {
      comparisons.push_back(demix_of(comparison));
      continue;
    }
    for (const ComparisonModel& model : comparison.models) comparisons.push_back(model_of(model));
  }
  return comparisons;
}

}  // namespace

Json forest_summary(const Forest& forest) {
  Json seed, experts = Json::array(), removed = Json::array(), elsewhere = Json::array();
  Lineage lineage = lineage_of(forest);
  for (const LineageNode& node : lineage.nodes) {
    if (is_seed(node) && !forest.seed) continue;
    Json model = place_of(node.info, node.id, parents_of(lineage, node));
    if (is_seed(node)) {
      add_folder(model, forest.paths.seed());
      seed = std::move(model);
      continue;
    }
    model["tainted"] = node.taint;
    if (node.info.imported) model["imported"] = node.info.imported->name;
    if (node.standing == Standing::alive) add_folder(model, forest.paths.expert(node.info.name));
    Json& list = node.standing == Standing::alive ? experts : node.standing == Standing::removed ? removed : elsewhere;
    list.push_back(std::move(model));
  }
  return {{"seed", seed},
          {"experts", experts},
          {"removed", removed},
          {"elsewhere", elsewhere},
          {"comparisons", comparisons_of(forest.paths)}};
}

}  // namespace btm
