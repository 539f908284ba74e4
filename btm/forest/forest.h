// The state of a forest: the log of edits replayed, with the lineage of every expert (merge.h, remove.h; import.h: a
// merge of what was trained elsewhere).
//
// An edit is two steps, in an order that survives a crash between them. Merge: the folder, then the line; a folder
// without its line is an unfinished merge and is written anew. Remove: the line, then the folder; a folder whose expert
// was removed is deleted at the next opening.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "btm/core/file_lock.h"
#include "btm/forest/expert.h"
#include "btm/forest/paths.h"

namespace btm {

struct Forest {
  ForestPaths paths;
  std::optional<ExpertInfo> seed;                         // nullopt: not trained yet
  std::vector<ExpertInfo> experts;                        // alive
  std::vector<ExpertInfo> removed;                        // in the order of their removal; without `recipe`
  std::vector<std::string> removed_for_good;              // names: trained here, removed, not marked for retraining
  const ExpertInfo* find(const std::string& name) const;  // alive; null if there is none
};

// Of whoever changes the forest; a second one is refused (see FileLock).
class ForestLock : public FileLock {
 public:
  explicit ForestLock(const ForestPaths& paths);
};

// Throws Error(input) if there is no such folder, or one of other things: most likely a wrong path. A new, empty folder
// is a forest without anything in it.
void require_forest(const ForestPaths& paths);

// Replays log.jsonl and reads the seed's and each expert's expert.json. Throws Error(input): no folder there, a broken
// log (see read_edits), an expert of the log without its folder or with other hashes there than in the log. Weights are
// not hashed. Experts are in the order of cycles and names, so that nothing depends on which of two was trained faster.
Forest open_forest(const std::filesystem::path& root);

// The same out of the log alone, for what must work when expert folders are damaged: experts come without `recipe`, in
// the order of their merge.
Forest replay_forest(const std::filesystem::path& root);

[[noreturn]] void unknown_expert(const Forest& forest, const std::string& name);  // Error(input) naming the nearest

}  // namespace btm
