// An expert leaves for another forest, as a bundle.
#pragma once

#include <filesystem>
#include <string>

#include "btm/forest/bundle.h"

namespace btm {

// Writes the living expert of an opened forest (open_forest) to `output`, whole or not at all. No path, no text, no
// tokenizer and nothing of the data but hashes goes with it. Throws Error(input): no such expert, weights that are
// damaged or that btm didn't write, a delta to parents that aren't in the forest.
Manifest export_expert(const Forest& forest, const std::string& name, const std::filesystem::path& output,
                       const BundleOptions& options);

}  // namespace btm
