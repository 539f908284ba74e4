// Weighted mean of the parameters of checkpoints of equal shapes (Li et al. 2022, section 4.4): one LM out of many.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "btm/core/settings.h"

namespace btm {

inline constexpr char kAverageRecord[] = "average.json";  // by which a folder is known as an average

struct WeightedFolder {
  std::filesystem::path folder;
  double weight = 0;
  std::string name = {};    // how average.json calls it; empty: the folder as given
  std::string sha256 = {};  // of its weights, where it is known
};

struct AverageOptions {
  int threads = 0;               // 0: one for each core; the bytes written don't depend on it
  bool quiet = true;             // no progress on stderr
  std::int64_t shard_bytes = 0;  // most bytes of tensors in a file, unless one tensor alone has more; 0: one file
};

// Writes config.json, generation_config.json, tokenizer files (of the first source), model.safetensors (or shards and
// their index) and average.json into the existing folder `output`. Any Hugging Face safetensors folders will do,
// sharded or not; each tensor keeps the dtype it has in the first source, and tensors that aren't floating point must
// be equal in all. Weights are normalised to sum to 1; the sum is accumulated in double in the order of the sources and
// rounded once. Memory: one block of a few MiB. Sources of weight 0 are checked like the others, but their
// floating-point numbers are not read.
//
// Throws Error(input): no sources, weights negative, not finite or of sum 0, tensors of other names or shapes, another
// config.json or tokenizer.json, NaN or infinite numbers.
//
// Gives the content of average.json: {"sources": [{"folder", "weight", "sha256" or "xxh3"}]}, the hash that was given
// or that of weights_xxh3().
Json average_checkpoints(const std::vector<WeightedFolder>& sources, const std::filesystem::path& output,
                         const AverageOptions& options = {});

}  // namespace btm
