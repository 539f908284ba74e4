// Causal softmax attention of one sequence in blocks that fit a core's cache.
#pragma once

#include <cstddef>

#include "btm/model/kernels/gemm.h"

namespace btm {

// Query r is at position past + r and sees the keys 0 ... past + r; there are past + queries keys.
struct AttentionShape {
  int queries;
  int past;
  int heads;
  int kv_heads;  // divides heads: each serves heads / kv_heads query heads
  int head_dim;
  Operands operands = Operands::fp32;  // of the products; softmax and sums are float32
};

// Rows of heads side by side, `stride` numbers from row to row. Those in bfloat16 are for Operands::bf16 alone.
struct Heads {
  OperandView data;
  int stride;
};
struct MutableHeads {
  OperandArray data;
  int stride;
};

std::size_t attention_workspace(const AttentionShape& shape);  // floats, aligned as Buffer aligns them

// out = softmax(q k^T / sqrt(head_dim)) v. log_sums [heads, queries] gets the log of each softmax's denominator, which
// the backward pass needs; it may be null.
void attention_forward(const AttentionShape& shape, Heads q, Heads k, Heads v, MutableHeads out, float* log_sums,
                       float* workspace);

// Writes d_q, d_k and d_v out of d_out (past must be 0). The probabilities are computed again.
void attention_backward(const AttentionShape& shape, Heads q, Heads k, Heads v, Heads out, const float* log_sums,
                        Heads d_out, MutableHeads d_q, MutableHeads d_k, MutableHeads d_v, float* workspace);

}  // namespace btm
