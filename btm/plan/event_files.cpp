#include "btm/plan/event_files.h"

#include <algorithm>
#include <string>
#include <system_error>

#include "btm/core/files.h"
#include "btm/forest/comparisons.h"
#include "btm/train/event_file.h"

namespace btm {

namespace {

void complete(const ForestPaths& paths, const std::string& name, const fs::path& model) {
  const fs::path folder = paths.tensorboard(name), metrics = model / "metrics.jsonl";
  if (fs::exists(event_file(folder)) || model.extension() == ".tmp" || !fs::exists(metrics)) return;
  if (std::string lines = read_file(metrics); !lines.empty()) EventFile(folder, lines);
}

}  // namespace

void complete_event_files(const ForestPaths& paths) {
  complete(paths, kSeedName, paths.seed());
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(paths.experts(), none)) {
    complete(paths, entry.path().filename(), entry.path());
  }
  for (const PublishedComparison& comparison : published_comparisons(paths)) {
    for (const ComparisonModel& model : comparison.models) {
      std::string name = comparison.demix ? comparison.name : model.name;
      std::ranges::replace(name, '/', '-');  // as run_name
      complete(paths, name, model.folder);
    }
  }
}

}  // namespace btm
