// The files of the forest as a whole: its log, its plan, its results.
#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/mapped_file.h"
#include "btm/core/seal.h"
#include "btm/core/settings.h"
#include "btm/mixture/score_store.h"
#include "btm/plan/verify/verify_work.h"

namespace btm {
namespace {

constexpr const char* kLog = "log.jsonl";
constexpr const char* kRestoreLog = "restore it from a copy";
constexpr const char* kRestoreOrMerge =
    "restore it from a copy, or, if a merge was cut off, finish that: btm grow or btm merge";

// What no version wrote is damaged, also without a hash.
void require_form(const std::string& bytes, const fs::path& file) {
  if (file.extension() == ".json" && !Json::accept(bytes)) throw input_error("not JSON");
  if (file.extension() == ".yaml" && !parse_yaml(bytes, file.string()).IsMap()) throw input_error("not a map");
  if (file.extension() == ".md" && !bytes.starts_with('#')) throw input_error("does not begin with a heading");
}

void note_lines_without_hash(VerifyWork& work, const std::string& bytes) {
  std::size_t lines = 0, without = 0;
  std::string_view rest = bytes;
  for (std::size_t end; (end = rest.find('\n')) != rest.npos; rest.remove_prefix(end + 1)) {
    ++lines;
    if (check_line_seal(rest.substr(0, end)) == Seal::none) ++without;
  }
  if (without == 0) return;
  work.note(Verdict::unchecked, kLog,
            fmt::format("{} of {} lines were written by an older version, without a hash", without, lines));
}

// Experts in the folder and those in the log are the same.
void compare_with_folders(VerifyWork& work, const std::set<std::string>& removed) {
  for (const auto& [name, edit] : work.alive) {
    if (fs::exists(work.paths.expert(name))) continue;  // also if it was merged meanwhile
    work.note(Verdict::missing, "experts/" + name, "merged into the forest, says log.jsonl, but not there",
              fmt::format("restore the folder from a copy, or take the expert out: btm remove {} {}",
                          work.paths.root.string(), name));
  }
  for (const std::string& name : work.folders_in("experts")) {
    if (work.alive.contains(name)) continue;
    if (removed.contains(name)) {
      work.note(Verdict::unexpected, "experts/" + name, "removed from the forest, says log.jsonl",
                "none needed: the next command deletes it");
    } else {
      work.note(Verdict::missing, kLog, fmt::format("has no line that merges experts/{}", name), kRestoreOrMerge);
    }
  }
}

// Experts of others may have been merged, whose tokens are elsewhere.
std::set<std::string> planned_domains(const VerifyWork& work) {
  std::set<std::string> names;
  try {
    for (const auto& entry : parse_yaml(read_file(work.paths.plan()), "")["domains"]) {
      names.insert(entry.first.as<std::string>());
    }
  } catch (const std::exception&) {  // told where the plan is checked
  }
  return names;
}

// What `btm grow` made before it trained the first expert.
void require_grown(VerifyWork& work) {
  const std::set<std::string> planned = planned_domains(work);
  std::set<std::string> folders = {"tokenizer", kSeedName};
  for (const auto& [name, edit] : work.alive) {
    for (const std::string& domain : edit.domains) {
      if (planned.contains(domain)) folders.insert("tokens/" + domain);
    }
  }
  for (const std::string& folder : folders) {
    if (work.has_below(folder)) continue;
    work.note(Verdict::missing, folder, "not there, but experts were trained",
              folder.starts_with("tokens/") ? "make it anew from the same text: btm grow" : "restore it from a copy");
  }
}

// Fills `alive` and gives the names of the removed.
std::set<std::string> replay(VerifyWork& work) {
  std::set<std::string> removed;
  for (const Edit& edit : read_edits(work.paths.log())) {
    work.alive.erase(edit.expert);
    if (edit.edit == EditKind::remove) {
      removed.insert(edit.expert);
    } else {
      work.alive.emplace(edit.expert, edit);
    }
  }
  return removed;
}

void verify_log(VerifyWork& work) {
  if (!work.claim(kLog)) return work.note(Verdict::missing, kLog, "not there, but experts are", kRestoreOrMerge);
  std::set<std::string> removed;
  try {
    const std::string bytes = read_file(work.paths.log());
    if (!bytes.empty() && !bytes.ends_with('\n')) {
      return work.note(Verdict::damaged, kLog, "its last line is cut off",
                       "restore it from a copy, or run the command again that was at work: btm grow, merge or remove");
    }
    note_lines_without_hash(work, bytes);
    removed = replay(work);
  } catch (const Error& e) {
    return work.note(Verdict::damaged, kLog, e.what(), kRestoreLog);
  }
  compare_with_folders(work, removed);
}

void check_scores_file(VerifyWork& work, const std::string& file) {
  const std::string remedy = fmt::format("delete {}: the next evaluation scores it anew", work.path(file));
  work.check(file, remedy, [path = work.paths.root / file, file]() -> std::optional<Finding> {
    switch (check_scores(MappedFile(path).bytes())) {
      case Seal::whole:
        return std::nullopt;
      case Seal::none:
        return Finding{Verdict::unchecked, file, "its first line was written by an older version, without a hash", {}};
      case Seal::broken:
        break;
    }
    return Finding{Verdict::damaged, file, "does not match its own hashes", {}};
  });
}

}  // namespace

void verify_sealed(VerifyWork& work, const std::string& file, const std::string& remedy) {
  work.check(file, remedy, [path = work.paths.root / file, file]() -> std::optional<Finding> {
    const std::string bytes = read_file(path);
    switch (check_seal(bytes)) {
      case Seal::whole:
        return std::nullopt;
      case Seal::none:
        require_form(bytes, path);
        return Finding{Verdict::unchecked, file, "without a hash, as older versions wrote it", {}};
      case Seal::broken:
        break;
    }
    return Finding{Verdict::damaged, file, "does not match its own hash, file_sha256", {}};
  });
}

void verify_plan_and_log(VerifyWork& work) {
  const bool grown = work.files.contains("forest.yaml") || work.files.contains("tokenizer/recipe.json");
  if (work.claim("lock")) work.note(Verdict::exempt, "lock", "of the process at work");
  if (grown) verify_sealed(work, "forest.yaml", "btm grow writes it anew out of your plan");
  if (work.files.contains(kLog) || !work.folders_in("experts").empty()) verify_log(work);
  if (grown && !work.alive.empty()) require_grown(work);
}

void verify_results(VerifyWork& work) {
  const std::string again = fmt::format("make it anew: btm evaluate {}", work.paths.root.string());
  const std::string evaluation = "results/evaluation.json", markdown = "results/evaluation.md";
  if (work.files.contains(evaluation) || work.files.contains(markdown)) verify_sealed(work, evaluation, again);
  for (const std::string& file : {markdown, std::string("results/forest.json")}) {
    if (work.files.contains(file)) verify_sealed(work, file, again);  // made by some commands only
  }
  if (work.claim("results/recipe.json"))
    work.note(Verdict::exempt, "results/recipe.json", "of an older version; the next evaluation removes it");
  for (const std::string& file : work.below("results/scores")) {
    if (file.ends_with(".scores")) check_scores_file(work, file);
  }
}

}  // namespace btm
