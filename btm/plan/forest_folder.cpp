#include "btm/plan/forest_folder.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/seal.h"
#include "btm/data/domain_report.h"
#include "btm/forest/expert.h"
#include "btm/plan/neighbours.h"

namespace btm {
namespace {

bool is_forest(const ForestPaths& paths) {
  if (fs::exists(paths.log()) || fs::exists(paths.lock())) return true;
  return fs::exists(paths.plan()) && check_seal(read_file(paths.plan())) != Seal::none;  // not a plan of the user's own
}

// Made ahead by `btm prepare`, or copied from another forest.
bool is_made_for_a_forest(const ForestPaths& paths, const fs::path& folder) {
  if (folder == paths.tokenizer()) return fs::exists(folder / kTokenizerRecipe);
  if (folder == paths.seed()) return is_published(folder);
  if (folder != paths.tokens()) return false;
  return std::ranges::all_of(fs::directory_iterator(folder),
                             [](const auto& entry) { return fs::exists(entry.path() / kDomainReportFile); });
}

}  // namespace

void require_forest_folder(const ForestPaths& paths) {
  if (is_forest(paths)) return;
  for (const fs::path& folder : paths.own_folders()) {
    if (!fs::exists(folder)) continue;
    if (fs::is_directory(folder) && (fs::is_empty(folder) || is_made_for_a_forest(paths, folder))) continue;
    throw input_error("{} is there already, and {} is no forest; give the forest a folder of its own (forest: ...)",
                      folder.string(), paths.root.string());
  }
}

}  // namespace btm
