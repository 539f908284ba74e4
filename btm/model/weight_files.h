// The weights of a checkpoint folder: one safetensors file, or shards with an index.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/model/safetensors.h"

namespace btm {

inline constexpr const char* kWeightsIndex = "model.safetensors.index.json";

struct WeightFiles {
  std::filesystem::path folder;
  std::vector<SafetensorsFile> files;      // shards in the order of their names
  std::vector<const TensorView*> tensors;  // of all files, by name

  const TensorView* find(const std::string& name) const;  // nullptr if it isn't there
};

// Maps all files. Throws Error(input): no weights in the folder, a shard missing or broken, a tensor of the index that
// isn't in its shard, one that is there twice.
WeightFiles open_weights(const std::filesystem::path& folder);

// The files that identify the weights: model.safetensors, or the index and every shard. Throws as above.
std::vector<std::filesystem::path> weight_paths(const std::filesystem::path& folder);

}  // namespace btm
