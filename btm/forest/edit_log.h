// log.jsonl: the edits of a forest, one JSON object a line, only ever appended to.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/forest/expert.h"

namespace btm {

enum class EditKind { merge, import, remove };
inline std::array<std::pair<EditKind, std::string_view>, 3> names(EditKind) {
  return {{{EditKind::merge, "merge"}, {EditKind::import, "import"}, {EditKind::remove, "remove"}}};
}

// A merge or import carries what must outlive the expert's folder: its place in the lineage and its training compute.
struct Edit {
  EditKind edit = EditKind::merge;
  std::string expert;
  std::string time;  // UTC, ISO 8601
  std::string recipe_sha256;
  std::string weights_sha256;
  bool retrain = false;
  std::string tokenizer_sha256;
  std::string kind;
  std::vector<std::string> domains;
  int cycle = 0;
  std::vector<Parent> parents;
  std::int64_t tokens = 0, updates = 0;
  double flops = 0, device_seconds = 0, dev_loss = 0;
  std::string tool_version;
  Origin imported;
};
template <class F>
void visit(Edit& s, F&& f) {
  f("edit", s.edit, "merge, import or remove");
  f("expert", s.expert, "name");
  f("time", s.time, "UTC");
  f("recipe_sha256", s.recipe_sha256, "identity of all that the weights depend on");
  f("weights_sha256", s.weights_sha256, "identity of the weights");
  if (s.edit == EditKind::remove) {  // which the reader knows before it visits; the rest is told by the merge or import
    f("retrain", s.retrain, "the next grow trains it again, from what is left of its parents");
    return;
  }
  f("tokenizer_sha256", s.tokenizer_sha256, "identity of the tokenizer");
  f("kind", s.kind, "expert");
  f("domains", s.domains, "that it was trained on");
  f("cycle", s.cycle, "from 1");
  f("parents", s.parents, "whose weighted mean it started from");
  f("tokens", s.tokens, "trained on");
  f("updates", s.updates, "of the weights");
  f("flops", s.flops, "of training");
  f("device_seconds", s.device_seconds, "threads x wall seconds of training");
  f("dev_loss", s.dev_loss, "nats per token at the end");
  f("tool_version", s.tool_version, "of the program that trained it");
  if (s.edit == EditKind::import) f("imported", s.imported, "where it came from");
}

Edit merge_edit(const ExpertInfo& info);  // now; an import, if the expert is imported
Edit remove_edit(const ExpertInfo& info, bool retrain);
ExpertInfo expert_of(const Edit& merge);  // or import; without the recipe

// All edits in order; a missing file is an empty log. A last line without its line end is a torn write: dropped with a
// warning. Any other broken line: Error(input) with its number and what to do.
std::vector<Edit> read_edits(const std::filesystem::path& log);

// Cuts a torn last line away and appends this one, durable on return. One writer at a time (the forest's lock).
void append_edit(const std::filesystem::path& log, const Edit& edit);

}  // namespace btm
