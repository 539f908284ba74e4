// The gradients of queries, keys and values, which attention leaves apart, brought together as rows of qkv.
#pragma once

#include <cuda_runtime.h>

#include "btm/model/bf16.h"
#include "btm/model/kernels/attention.h"

namespace btm::cuda {

// Rows of heads: q [rows, heads x head_dim], k and v [rows, kv_heads x head_dim], from row to row so many numbers
// apart.
struct HeadGradients {
  const bf16 *q, *k, *v;
  int q_stride, kv_stride;
};

// Those that lie in d_qkv [rows, qkv_width], where they belong.
inline HeadGradients heads_within(const AttentionShape& s, const bf16* d_qkv) {
  const int width = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim, stride = width + 2 * kv;
  return {d_qkv, d_qkv + width, d_qkv + width + kv, stride, stride};
}

// d_qkv [rows, qkv_width] = `apart` side by side, where they may lie already; d_bias [width] += their column sums.
// partial: [column_partial_floats(qkv_width)] of scratch.
void join_heads(cudaStream_t stream, const AttentionShape& shape, int rows, const HeadGradients& apart, bf16* d_qkv,
                float* d_bias, float* partial);

// The same without sums, queries and keys turned back by their rotary positions: row r is at position r %
// shape.queries. table: as rope_table().
void join_turned_heads(cudaStream_t stream, const AttentionShape& shape, int rows, const float* table,
                       const HeadGradients& apart, bf16* d_qkv);

}  // namespace btm::cuda
