// What verify_forest collects before it reads: every file of the forest, and how each is checked. Each part of a forest
// has a function that speaks for its files.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "btm/forest/edit_log.h"
#include "btm/forest/paths.h"
#include "btm/plan/verify/verify.h"

namespace btm {

// What is wrong with a file; thrown errors say that, too. Several run at once.
using Look = std::function<std::optional<Finding>()>;

struct FileCheck {
  std::string file;
  std::int64_t bytes = 0;
  Look look;
};

// Lines of metrics that an event file was made from.
struct Curve {
  std::string file;
  std::int64_t bytes = 0;                       // of the file, from its start
  bool growing = false;                         // the event file may go on behind what these lines give
  std::function<bool(std::string_view)> holds;  // whether they are what was written
};

struct VerifyWork {
  ForestPaths paths;
  std::map<std::string, std::int64_t> files;  // that nobody has spoken for yet: path below the root, bytes
  std::vector<FileCheck> checks;
  std::vector<Finding> findings;        // known without reading files
  std::map<std::string, Edit> alive;    // the experts of log.jsonl
  std::map<std::string, Curve> curves;  // by folder in tensorboard/

  std::string path(const std::string& file) const { return (paths.root / file).string(); }
  bool has_below(const std::string& folder) const;
  std::vector<std::string> below(const std::string& folder) const;       // files
  std::vector<std::string> folders_in(const std::string& folder) const;  // names alone
  void note(Verdict verdict, const std::string& file, const std::string& what, const std::string& remedy = {});
  bool claim(const std::string& file);  // false: it isn't there, or someone has spoken for it
  void exempt_below(const std::string& folder, const std::string& why);
  // Claims the file; if it isn't there, it is missing. The remedy is for all findings but those of what can't be
  // checked.
  void check(const std::string& file, const std::string& remedy, Look look);
};

// In this order: later ones use what earlier ones found.
void verify_plan_and_log(VerifyWork& work);
void verify_published(VerifyWork& work);  // models, tokenizer, tokens
void verify_runs(VerifyWork& work);
void verify_event_files(VerifyWork& work);
void verify_results(VerifyWork& work);

// A folder that was published whole: by its SHA256SUMS, or by the older records that know some of its files.
void verify_folder(VerifyWork& work, const std::string& folder, const std::string& remedy);

// A file that was written with a seal (btm/core/seal.h).
void verify_sealed(VerifyWork& work, const std::string& file, const std::string& remedy);

// The findings of all checks. Throws Error(interrupted).
std::vector<Finding> run_checks(const VerifyWork& work, int threads, bool quiet);

}  // namespace btm
