// All parameters of a model in one flat float32 array, so that optimiser, clipping, averaging, saving and hashing are
// loops over one array.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/model/config.h"

namespace btm {

struct ParameterSlice {
  std::string name;                 // the tensor's name in Hugging Face's checkpoint
  std::vector<std::int64_t> shape;  // as there (GPT-2's projections are [in, out], Llama's [out, in])
  std::int64_t offset = 0;          // in floats
  std::int64_t size = 0;
  bool decay = false;            // weight decay applies: matrices and embeddings, not biases and norms
  bool feed_forward = false;     // of a block's feed-forward network, which DEMix has a copy of for each domain
  bool residual_output = false;  // what it gives is added to the residual stream
};

// The slices in the order of the forward pass; a tied head has no slice of its own. Throws Error(failed) where the
// vocabulary's size is not known yet.
std::vector<ParameterSlice> parameter_layout(const ModelConfig& config);

struct Model {
  ModelConfig config;  // resolved
  Buffer parameters;   // [parameter_count(config)]
};

// GPT-2's initialisation: normal with deviation 0.02, residual output projections divided by sqrt(2 x layers), biases
// zero, norm gains one. A function of (config, seed) alone.
Model random_model(const ModelConfig& config, std::uint64_t seed);

// The same model for `context` tokens at once, no more than it has: GPT-2's keeps its first positions.
Model shortened(Model model, int context);

}  // namespace btm
