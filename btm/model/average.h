// Weighted mean of the parameters of checkpoints of equal shapes (Li et al. 2022, section 4.4): one LM out of many.
#pragma once

#include <filesystem>
#include <utility>
#include <vector>

namespace btm {

struct WeightedFolder {
  std::filesystem::path folder;
  double weight = 0;
};

// Writes config.json, generation_config.json, tokenizer files (of the first source), model.safetensors and average.json
// (sources with weights and hashes) into the existing folder `output`, one tensor at a time (memory is bounded by the
// largest tensor), accumulated in double, in the order of the sources. Weights are normalised to sum to 1. Throws
// Error(input): no sources, negative weights or sum 0, tensors of other names or shapes, other tokenizer.
void average_checkpoints(const std::vector<WeightedFolder>& sources, const std::filesystem::path& output);

}  // namespace btm
