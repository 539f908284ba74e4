#include "btm/forest/output_place.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/forest/paths.h"

namespace btm {

void check_output_place(const fs::path& output, const char* allowed) {
  const fs::path whole = fs::weakly_canonical(fs::absolute(output));
  for (fs::path folder = whole; folder.has_relative_path(); folder = folder.parent_path()) {
    const ForestPaths forest{folder.parent_path()};
    const auto own = forest.own_folders();
    if (std::ranges::find(own, folder) == own.end() || folder.filename() == allowed || !fs::exists(forest.log()))
      continue;
    throw input_error("{}: {} keeps what is its own in {}; choose a place elsewhere", output.string(),
                      forest.root.string(), folder.filename().string());
  }
}

}  // namespace btm
