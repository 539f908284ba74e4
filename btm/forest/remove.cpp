#include "btm/forest/remove.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/lineage.h"
#include "btm/forest/unfinished.h"

namespace btm {
namespace {

// The finished run goes first: a crash after that leaves a whole expert, whereas a finished run that outlived the
// removal would be merged again by the next `grow`. An unfinished run of that name is new work and stays.
// What was imported had no run here.
void remove_run(const ForestPaths& paths, const ExpertInfo& info) {
  if (!info.imported && fs::exists(RunPaths{paths.run(info.name)}.result())) remove_whole(paths.run(info.name));
}

}  // namespace

std::vector<std::string> removal_of(const Forest& forest, const std::string& name, bool descendants) {
  const ExpertInfo* alive = forest.find(name);
  bool known = alive || std::any_of(forest.removed.begin(), forest.removed.end(),
                                    [&name](const ExpertInfo& info) { return info.name == name; });
  if (!known) unknown_expert(forest, name);
  std::vector<std::string> names;
  if (descendants) {
    for (const Tainted& tainted : tainted_by(forest, name)) names.push_back(tainted.name);
    std::reverse(names.begin(), names.end());  // so that one who stops halfway has removed no parent without its child
  }
  if (alive) names.push_back(name);
  return names;
}

std::vector<std::string> remove_expert(const Forest& forest, const std::string& name, Descendants descendants) {
  std::vector<std::string> names = removal_of(forest, name, descendants != Descendants::keep);
  finish_removals(forest);
  for (const std::string& each : names) {
    const ExpertInfo& info = *forest.find(each);
    remove_run(forest.paths, info);
    if (!fs::exists(forest.paths.run(each))) remove_whole(forest.paths.tensorboard(each));  // else it is that run's
    const bool retrain = descendants == Descendants::retrain && each != name && !info.imported;
    append_edit(forest.paths.log(), remove_edit(info, retrain));
    remove_whole(forest.paths.expert(each));
  }
  return names;
}

}  // namespace btm
