// Where each weight lies in the flat array of parameters, for the parts that compute.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "btm/model/config.h"
#include "btm/model/kernels/gemm.h"
#include "btm/model/kernels/norm.h"

namespace btm {

inline constexpr std::int64_t kAbsent = -1;

struct NormOffsets {
  std::int64_t gain = kAbsent, shift = kAbsent;
};

// y [rows, out] = x [rows, in] w + bias
struct LinearOffsets {
  std::int64_t weight = kAbsent, bias = kAbsent;
  int in = 0, out = 0;
  Op op = Op::none;  // transposed: w is stored [out, in], as in Llama
};

struct BlockOffsets {
  NormOffsets attention_norm;
  LinearOffsets qkv;      // q, k and v in one
  LinearOffsets project;  // attention's output
  NormOffsets mlp_norm;
  LinearOffsets up;  // Llama: gate and up in one
  LinearOffsets down;
};

struct WeightOffsets {
  std::int64_t tokens = kAbsent, positions = kAbsent;
  std::vector<BlockOffsets> blocks;
  NormOffsets final_norm;
  LinearOffsets head;  // of the logits; a tied one is stored at `tokens`
};

WeightOffsets weight_offsets(const ModelConfig& config);

std::vector<LinearOffsets> matrices_of(const WeightOffsets& offsets);  // every matrix of a forward pass

// Sizes of a row that the config implies.
inline int head_dim(const ModelConfig& c) {
  return c.width / c.heads;
}
inline int kv_width(const ModelConfig& c) {
  return c.kv_heads * head_dim(c);
}
inline int qkv_width(const ModelConfig& c) {
  return c.width + 2 * kv_width(c);
}
inline int up_width(const ModelConfig& c) {
  return c.architecture == Architecture::gpt2 ? c.hidden : 2 * c.hidden;
}
inline int widest(const ModelConfig& c) {  // of the gradients of qkv and of the feed-forward's activations
  return std::max(qkv_width(c), c.hidden);
}
NormShape norm_shape(const ModelConfig& config);

inline const float* find(const float* parameters, std::int64_t offset) {
  return offset == kAbsent ? nullptr : parameters + offset;
}
inline float* find(float* parameters, std::int64_t offset) {
  return offset == kAbsent ? nullptr : parameters + offset;
}

}  // namespace btm
