#include "btm/plan/event_files.h"

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/forest/models.h"
#include "btm/forest/published_comparisons.h"
#include "btm/train/event_file.h"

namespace btm {

namespace {

void complete(const fs::path& folder, const fs::path& model) {
  const fs::path metrics = model / kMetricsFile;
  if (fs::exists(event_file(folder)) || !fs::exists(metrics)) return;
  const std::string lines = read_file(metrics);
  if (lines.empty()) return;
  make_folders(folder);
  write_file(event_file(folder), events_of(lines));
}

}  // namespace

void complete_event_files(const ForestPaths& paths) {
  for (const PublishedModel& model : published_models(paths)) complete(paths.tensorboard(model.run), model.folder);
}

void remove_event_files(const ForestPaths& paths, const std::string& name) {
  for (const PublishedComparison& comparison : published_comparisons(paths)) {
    if (comparison.name != name) continue;
    for (const ComparisonModel& model : comparison.models) remove_whole(paths.tensorboard(model.run));
  }
}

}  // namespace btm
