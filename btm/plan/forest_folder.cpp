#include "btm/plan/forest_folder.h"

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/seal.h"

namespace btm {
namespace {

bool is_forest(const ForestPaths& paths) {
  if (fs::exists(paths.log()) || fs::exists(paths.lock())) return true;
  return fs::exists(paths.plan()) && check_seal(read_file(paths.plan())) != Seal::none;  // not a plan of the user's own
}

}  // namespace

void require_forest_folder(const ForestPaths& paths) {
  if (is_forest(paths)) return;
  for (const fs::path& folder : {paths.tokenizer(), paths.tokens(""), paths.seed(), paths.experts(),
                                 paths.comparisons(), paths.runs(), paths.tensorboard(""), paths.results()}) {
    if (!fs::exists(folder) || (fs::is_directory(folder) && fs::is_empty(folder))) continue;
    throw input_error("{} is there already, and {} is no forest; give the forest a folder of its own (forest: ...)",
                      folder.string(), paths.root.string());
  }
}

}  // namespace btm
