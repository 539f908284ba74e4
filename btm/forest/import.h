// Another forest's expert comes in, out of a bundle.
#pragma once

#include <filesystem>
#include <string>

#include "btm/forest/bundle.h"

namespace btm {

struct ImportOutcome {
  ExpertInfo expert;       // as it is in the forest
  bool was_there = false;  // with these weights, under whatever name: nothing was done
};

// Checks the bundle against itself and the forest, and adds its expert under `name` (empty: its own): the folder, then
// the line in the log, as a merge does. Where the folder of an expert of the log is lost, it is put back. Throws
// Error(input), with nothing changed: see open_bundle; another tokenizer, shape or number format than the forest's,
// weights that aren't those that the manifest names or that aren't finite, a delta to weights that aren't here, a name
// that is taken or none. The caller holds the forest's lock.
ImportOutcome import_expert(const ForestPaths& paths, const std::filesystem::path& file, const std::string& name,
                            const BundleOptions& options);

}  // namespace btm
