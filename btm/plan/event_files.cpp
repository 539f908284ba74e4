#include "btm/plan/event_files.h"

#include <system_error>
#include <vector>

#include "btm/core/files.h"
#include "btm/train/event_file.h"

namespace btm {

void complete_event_files(const ForestPaths& paths) {
  std::vector<fs::path> models = {paths.seed()};
  std::error_code none;
  for (const fs::path& parent : {paths.experts(), paths.comparisons()}) {
    for (const auto& entry : fs::directory_iterator(parent, none)) models.push_back(entry.path());
  }
  for (const fs::path& model : models) {
    fs::path folder = paths.tensorboard(model.filename()), metrics = model / "metrics.jsonl";
    if (fs::exists(event_file(folder)) || model.extension() == ".tmp" || !fs::exists(metrics)) continue;
    if (std::string lines = read_file(metrics); !lines.empty()) EventFile(folder, lines);
  }
}

}  // namespace btm
