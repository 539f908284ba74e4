#include "btm/forest/unfinished.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/half_written.h"
#include "btm/core/log.h"

namespace btm {
namespace {

std::vector<fs::path> leftovers(const Forest& forest) {
  std::vector<fs::path> found;
  for (const ExpertInfo& info : forest.removed) {
    fs::path folder = forest.paths.expert(info.name);
    if (!forest.find(info.name) && fs::exists(folder)) found.push_back(folder);
  }
  if (fs::is_directory(forest.paths.experts())) {
    for (const auto& entry : fs::directory_iterator(forest.paths.experts())) {
      if (is_half_written(entry.path())) found.push_back(entry.path());
    }
  }
  return found;
}

}  // namespace

void finish_removals(const Forest& forest) {
  for (const fs::path& folder : leftovers(forest)) {
    log_detail(fmt::format("{}: left by an interrupted command; deleted", folder.string()));
    remove_whole(folder);
  }
}

void try_finish_removals(const Forest& forest) {
  if (leftovers(forest).empty()) return;
  try {
    ForestLock lock(forest.paths);
    finish_removals(
        replay_forest(forest.paths.root));  // replayed again: the log may have grown before the lock was ours
  } catch (const Error& e) {
    log_detail(fmt::format("leftovers in {} stay for now: {}", forest.paths.experts().string(), e.what()));
  }
}

}  // namespace btm
