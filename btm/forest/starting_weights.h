// The weights that an expert started from: what the difference in a bundle is taken to.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "btm/core/files.h"
#include "btm/forest/forest.h"
#include "btm/model/weight_files.h"

namespace btm {

// Its parent's, found by their hash, whatever the parent is called here; or the average of several, made anew as `btm
// branch` makes it, bit for bit.
class StartingWeights {
 public:
  // An average lies in a temporary folder beside `scratch` while the object lives. Throws Error(input): random weights,
  // a parent that isn't in the forest.
  StartingWeights(const Forest& forest, const ExpertInfo& expert, const std::filesystem::path& scratch);

  // Throws Error(input): not there, or not in this format and shape.
  std::string_view bytes_of(const TensorInfo& tensor) const;

 private:
  std::optional<FolderWriter> average_;  // never published
  WeightFiles weights_;
};

}  // namespace btm
