// The state of a forest: the log of edits replayed, with the lineage of every expert.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/forest/expert.h"
#include "btm/forest/paths.h"

namespace btm {

// One line of log.jsonl: {"edit": "merge"|"remove", "expert": NAME, "recipe_sha256": ..., "weights_sha256": ..., "time": ...}
struct Edit {
  std::string edit;
  std::string expert;
  std::string recipe_sha256;
  std::string weights_sha256;
  std::string time;
};

struct Forest {
  ForestPaths paths;
  std::vector<ExpertInfo> experts;   // alive, in the order of their merge
  std::vector<ExpertInfo> removed;   // known by their last expert.json entry in the log
  const ExpertInfo* find(const std::string& name) const;
};

// Replays log.jsonl and reads each expert.json. A last line without its line end is a torn write and is dropped (with a
// warning); any other broken line is Error(input) with the line's number. An expert of the log without its folder, or
// whose hash differs: Error(input).
Forest open_forest(const std::filesystem::path& root);

// Copies a finished run's model folder, with expert.json and metrics.jsonl, to experts/NAME and logs the merge. Already
// merged with the same recipe: does nothing. Throws Error(input) for another recipe, another tokenizer or other shapes.
void merge_expert(const ForestPaths& paths, const std::filesystem::path& run, const ExpertInfo& info);

struct Tainted {
  std::string name;
  double share = 0;  // of its initial weights that came from the removed expert, along all paths
};
std::vector<Tainted> tainted_by(const Forest& forest, const std::string& name);

// Logs the removal and deletes the folders, of the descendants too if asked. Gives the names removed.
std::vector<std::string> remove_expert(const Forest& forest, const std::string& name, bool descendants);

}  // namespace btm
