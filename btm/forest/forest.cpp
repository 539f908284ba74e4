#include "btm/forest/forest.h"

#include <algorithm>
#include <system_error>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/unfinished.h"

namespace btm {
namespace {

template <class Experts>  // const or not
auto named(Experts& experts, const std::string& name) {
  return std::find_if(experts.begin(), experts.end(), [&name](const ExpertInfo& info) { return info.name == name; });
}

// A removed expert that is merged again with the same weights is the same node of the lineage as before.
void apply_merge(Forest& forest, const Edit& edit, const std::string& where) {
  if (forest.find(edit.expert))
    throw input_error("{}: {} is merged a second time without a removal", where, edit.expert);
  std::erase_if(forest.removed, [&edit](const ExpertInfo& info) {
    return info.name == edit.expert && info.weights_sha256 == edit.weights_sha256;
  });
  if (edit.edit == EditKind::merge)
    std::erase(forest.removed_for_good, edit.expert);  // an import doesn't train it again
  forest.experts.push_back(expert_of(edit));
}

void apply_remove(Forest& forest, const Edit& edit, const std::string& where) {
  auto at = named(forest.experts, edit.expert);
  if (at == forest.experts.end()) throw input_error("{}: {} is removed but not in the forest then", where, edit.expert);
  if (edit.retrain) std::erase(forest.removed_for_good, edit.expert);
  if (!edit.retrain && !at->imported) forest.removed_for_good.push_back(edit.expert);
  forest.removed.push_back(std::move(*at));
  forest.experts.erase(at);
}

// The whole expert.json for an expert of the log.
ExpertInfo read_expert(const ForestPaths& paths, const ExpertInfo& logged) {
  fs::path folder = paths.expert(logged.name);
  std::string advice = fmt::format("restore the folder from a copy, or take the expert out: btm remove {} {}",
                                   paths.root.string(), logged.name);
  if (!is_published(folder)) {
    throw input_error("{}: missing or without expert.json, but the log says it was merged; {}", folder.string(),
                      advice);
  }
  ExpertInfo info = load_expert(folder);
  if (info.recipe_sha256 != logged.recipe_sha256 || info.weights_sha256 != logged.weights_sha256) {
    throw input_error("{}: its hashes are not those of the log (weights {} there, {} in the log); {}",
                      (folder / kExpertFile).string(), info.weights_sha256, logged.weights_sha256, advice);
  }
  return info;
}

}  // namespace

ForestLock::ForestLock(const ForestPaths& paths)
    : FileLock(paths.lock(), fmt::format("another btm on {}", paths.root.string())) {}

void require_forest(const ForestPaths& paths) {
  constexpr const char* kAdvice =
      "give the folder that 'forest' names in forest.yaml, or grow one: btm grow forest.yaml";
  std::error_code status;
  if (!fs::is_directory(paths.root, status)) {
    throw input_error("{}: no forest there (no such folder); {}", paths.root.string(), kAdvice);
  }
  bool logged = fs::exists(paths.log(), status);
  if (status) {
    throw input_error("{}: can't be read: {}", paths.root.string(), status.message());
  }
  const std::vector<fs::path> parts = {paths.plan(), paths.lock(), paths.seed(), paths.tokenizer(), paths.tokens()};
  bool any = logged || std::any_of(parts.begin(), parts.end(), [](const fs::path& part) { return fs::exists(part); });
  if (!any && !fs::is_empty(paths.root)) {
    throw input_error("{}: no forest there (neither forest.yaml nor log.jsonl nor seed); {}", paths.root.string(),
                      kAdvice);
  }
}

const ExpertInfo* Forest::find(const std::string& name) const {
  auto at = named(experts, name);
  return at == experts.end() ? nullptr : &*at;
}

void unknown_expert(const Forest& forest, const std::string& name) {
  std::vector<std::string> names;
  for (const ExpertInfo& info : forest.experts) names.push_back(info.name);
  const std::string there = names.empty() ? "the forest has none" : fmt::format("there are {}", fmt::join(names, ", "));
  throw input_error("{}: no expert '{}'{}", forest.paths.root.string(), name,
                    did_you_mean(nearest_word(name, names), there));
}

Forest replay_forest(const fs::path& root) {
  require_forest(ForestPaths{root});
  Forest forest;
  forest.paths.root = root;
  if (is_published(forest.paths.seed())) forest.seed = load_expert(forest.paths.seed());
  int line = 0;
  for (const Edit& edit : read_edits(forest.paths.log())) {
    std::string where = fmt::format("{}: line {}", forest.paths.log().string(), ++line);
    edit.edit == EditKind::remove ? apply_remove(forest, edit, where) : apply_merge(forest, edit, where);
  }
  return forest;
}

Forest open_forest(const fs::path& root) {
  const auto log_size = [log = ForestPaths{root}.log()] {
    std::error_code none;
    return fs::file_size(log, none);
  };
  const auto size = log_size();
  Forest forest = replay_forest(root);
  try_finish_removals(forest);
  try {
    for (ExpertInfo& expert : forest.experts) expert = read_expert(forest.paths, expert);
  } catch (const Error&) {
    if (log_size() == size) throw;
    return open_forest(root);  // an expert was removed meanwhile
  }
  std::ranges::sort(forest.experts, {}, [](const ExpertInfo& expert) { return std::tie(expert.cycle, expert.name); });
  return forest;
}

}  // namespace btm
