// The forward pass of a Transformer's blocks, shared by training, scoring and generation.
#pragma once

#include "btm/core/token.h"
#include "btm/model/activations.h"
#include "btm/model/kernels/attention.h"
#include "btm/model/linear.h"
#include "btm/model/weight_offsets.h"

namespace btm {

// What a pass needs to know of the model but its parameters.
struct Engine {
  explicit Engine(const ModelConfig& config);
  ModelConfig config;  // resolved
  WeightOffsets offsets;
  NormShape norm;
  Buffer rope;  // empty for gpt2
};
std::size_t rope_floats(const ModelConfig& config);  // of that table

// Rows of a pass, a token each.
struct Rows {
  int count;
  const int* positions;  // [count], of each in its sequence
};

// tokens [rows] -> the first block's input
void embed(const Engine& engine, const float* parameters, Rows rows, const TokenId* tokens, Activations& a);

// The parts of block `layer` before and after the attention, which goes from qkv to attended.
void before_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, Activations& a);
void after_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, Activations& a);

// The attention of block `layer` over whole sequences of `length` tokens.
AttentionShape attention_shape(const ModelConfig& config, int length, Operands operands);
void attend(const Engine& engine, Operands operands, int layer, Rows rows, int length, Activations& a);

// All activations of block `layer` once more, from its input.
void recompute(const Engine& engine, const Weights& weights, int layer, Rows rows, int length, Activations& a);

// After the last block: final_normed.
void final_norm(const Engine& engine, const float* parameters, Rows rows, Activations& a);

}  // namespace btm
