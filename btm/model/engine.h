// What a pass needs to know of the model but its parameters.
#pragma once

#include "btm/core/buffer.h"
#include "btm/model/config.h"
#include "btm/model/kernels/attention.h"
#include "btm/model/weight_offsets.h"

namespace btm {

struct Engine {
  Engine(const ModelConfig& config, int positions);  // for sequences of so many tokens
  ModelConfig config;                                // resolved
  WeightOffsets offsets;
  NormShape norm;
  Buffer rope;  // rope_table() of these positions; empty for gpt2, which has none
};
Buffer rope_of(const ModelConfig& config, int positions);           // that table
std::size_t rope_floats(const ModelConfig& config, int positions);  // of it

// Of sequences of `length` tokens.
AttentionShape attention_shape(const ModelConfig& config, int length, Operands operands);

}  // namespace btm
