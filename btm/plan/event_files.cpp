#include "btm/plan/event_files.h"

#include <algorithm>
#include <system_error>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/forest/comparisons.h"
#include "btm/train/event_file.h"

namespace btm {

namespace {

void complete(const fs::path& folder, const fs::path& model) {
  const fs::path metrics = model / kMetricsFile;
  if (fs::exists(event_file(folder)) || is_half_written(model) || !fs::exists(metrics)) return;
  const std::string lines = read_file(metrics);
  if (lines.empty()) return;
  make_folders(folder);
  write_file(event_file(folder), events_of(lines));
}

// Where the run that left the model writes (run_name() in jobs.h).
fs::path folder_of(const ForestPaths& paths, const PublishedComparison& comparison, const ComparisonModel& model) {
  std::string name = comparison.demix ? comparison.name : model.name;
  std::ranges::replace(name, '/', '-');
  return paths.tensorboard(name);
}

}  // namespace

void complete_event_files(const ForestPaths& paths) {
  complete(paths.tensorboard(kSeedName), paths.seed());
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(paths.experts(), none)) {
    complete(paths.tensorboard(entry.path().filename()), entry.path());
  }
  for (const PublishedComparison& comparison : published_comparisons(paths)) {
    for (const ComparisonModel& model : comparison.models) complete(folder_of(paths, comparison, model), model.folder);
  }
}

void remove_event_files(const ForestPaths& paths, const std::string& name) {
  for (const PublishedComparison& comparison : published_comparisons(paths)) {
    if (comparison.name != name) continue;
    for (const ComparisonModel& model : comparison.models) remove_folder(folder_of(paths, comparison, model));
  }
}

}  // namespace btm
