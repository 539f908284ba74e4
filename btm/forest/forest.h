// The state of a forest: the log of edits replayed, with the lineage of every expert; and two of the edits (bundle.h
// has the import, which is a merge of what was trained elsewhere).
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

// Copies a finished run's model folder (RUN/model), with expert.json and RUN/metrics.jsonl if there, to experts/NAME
// and logs the merge. Weights are hard-linked where the file system allows. Hashes that `info` lacks are filled in,
// those that it has are checked; weights of parents are normalised to sum to 1. Merged already with the same recipe:
// does nothing, or puts the lost folder back. Throws Error(input) for another recipe (naming the first key that
// differs), another tokenizer or shape than the forest's, unknown parents. The caller holds the forest's lock.
void merge_expert(const ForestPaths& paths, const std::filesystem::path& run, const ExpertInfo& info);

// The same folder format at `target`, not logged: the seed and comparisons. Published already with the same recipe:
// does nothing; with another: Error(input). The caller holds the forest's lock.
void publish_model(const std::filesystem::path& target, const std::filesystem::path& run, const ExpertInfo& info);

// The same for the models RUN/model/NAME of a run that left several, at TARGET/NAME; `infos` say their names. The
// target is made whole or not at all.
void publish_models(const std::filesystem::path& target, const std::filesystem::path& run,
                    const std::vector<ExpertInfo>& infos);

// What remove_expert would take, in its order: living descendants youngest first, the expert itself last; empty if it
// was removed before. Throws Error(input) for a name that was never merged.
std::vector<std::string> removal_of(const Forest& forest, const std::string& name, bool descendants);

// retrain: removed, and marked for the next grow but for those that were imported, whose text isn't here.
enum class Descendants { keep, remove, retrain };

// Logs the removal and deletes the expert's folder, its finished run (runs/NAME, which holds the same weights) and its
// event file; and, unless Descendants::keep, of every living expert with a share of it. Gives removal_of. Needs only
// the log, see replay_forest. The caller holds the forest's lock.
std::vector<std::string> remove_expert(const Forest& forest, const std::string& name, Descendants descendants);

}  // namespace btm
