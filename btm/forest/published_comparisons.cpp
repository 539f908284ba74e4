#include "btm/forest/published_comparisons.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "btm/core/files.h"
#include "btm/core/half_written.h"

namespace btm {
namespace {

std::vector<fs::path> folders_below(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.is_directory() && !is_half_written(entry.path())) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

void add(PublishedComparison& comparison, const std::string& name, const fs::path& folder) {
  if (!is_published(folder)) return;
  ComparisonModel model{name, folder, load_expert(folder), name};
  comparison.demix = model.info.recipe.value("demix", false);
  if (comparison.demix) model.run = comparison.name;
  std::ranges::replace(model.run, '/', '-');
  comparison.models.push_back(std::move(model));
}

}  // namespace

bool is_name_of_comparison(const std::string& name) {
  constexpr std::array<std::string_view, 6> kNames = {
      "dense", "demix", "dense_from_random", "demix_from_random", "random_split", "random_init"};
  return std::ranges::find(kNames, name) != kNames.end() || name.starts_with("random_split-") ||
         name.starts_with("random_init-");
}

std::vector<PublishedComparison> published_comparisons(const ForestPaths& paths) {
  std::vector<PublishedComparison> comparisons;
  for (const fs::path& folder : folders_below(paths.comparisons())) {
    PublishedComparison comparison{folder.filename().string(), {}};
    add(comparison, comparison.name, folder);
    for (const fs::path& model : folders_below(folder)) {
      add(comparison, comparison.name + "/" + model.filename().string(), model);
    }
    if (!comparison.models.empty()) comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

}  // namespace btm
