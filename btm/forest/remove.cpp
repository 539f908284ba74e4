#include <algorithm>

#include "btm/core/files.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/forest.h"
#include "btm/forest/lineage.h"
#include "btm/forest/unfinished.h"

namespace btm {
namespace {

[[noreturn]] void unknown_expert(const Forest& forest, const std::string& name) {
  std::vector<std::string> names;
  for (const ExpertInfo& info : forest.experts) names.push_back(info.name);
  std::string nearest = nearest_word(name, names);
  throw input_error("{}: no expert '{}'; {}", forest.paths.root.string(), name,
                    !nearest.empty() ? fmt::format("did you mean '{}'?", nearest)
                    : names.empty()  ? std::string("the forest has none")
                                     : fmt::format("there are {}", fmt::join(names, ", ")));
}

// The finished run goes first: a crash after that leaves a whole expert, whereas a finished run that outlived the
// removal would be merged again by the next `grow`. An unfinished run of that name is new work and stays.
void remove_run(const ForestPaths& paths, const std::string& name) {
  if (fs::exists(paths.run(name) / "result.json")) remove_folder(paths.run(name));
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
    remove_run(forest.paths, each);
    if (!fs::exists(forest.paths.run(each))) remove_folder(forest.paths.tensorboard(each));  // else it is that run's
    append_edit(forest.paths.log(),
                remove_edit(*forest.find(each), descendants == Descendants::retrain && each != name));
    remove_folder(forest.paths.expert(each));
  }
  return names;
}

}  // namespace btm
