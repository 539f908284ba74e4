#include "btm/forest/models.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/half_written.h"
#include "btm/forest/published_comparisons.h"

namespace btm {

std::vector<PublishedModel> published_models(const ForestPaths& paths) {
  std::vector<PublishedModel> models;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(paths.experts(), none)) {
    const std::string name = entry.path().filename().string();
    if (!is_half_written(entry.path()) && is_published(entry.path())) models.push_back({name, entry.path(), name});
  }
  std::ranges::sort(models, {}, &PublishedModel::name);
  if (is_published(paths.seed())) models.insert(models.begin(), {kSeedName, paths.seed(), kSeedName});
  for (const PublishedComparison& comparison : published_comparisons(paths)) {
    for (const ComparisonModel& model : comparison.models) models.push_back({model.name, model.folder, model.run});
  }
  return models;
}

}  // namespace btm
