// Token and position embeddings on the GPU; see ../kernels/embedding.h.
#pragma once

#include <cuda_runtime.h>

#include "btm/core/token.h"

namespace btm::cuda {

// The rows of a batch, sorted by their token, so that each row of the table's gradient has one writer.
struct TokenOrder {
  const int* rows;    // [rows], those of a token side by side in ascending order
  const int* starts;  // [tokens + 1]: where those of the i-th token begin; the rest of [rows + 1] repeats the last
};
// Sorts: order [rows], starts [rows + 1], on the host. scratch: [vocab], 0 before and after.
void sort_by_token(int rows, const TokenId* tokens, int* order, int* starts, int* scratch);

// out [rows, width] = table[tokens[row]] + position_table[row % length]; position_table may be null. The width is a
// multiple of 8.
void embedding_forward(cudaStream_t stream, int rows, int length, int width, const TokenId* tokens, const float* table,
                       const float* position_table, float* out);
// Adds the rows of d_out to those of d_table and d_position_table (may be null).
void embedding_backward(cudaStream_t stream, int rows, int length, int width, const TokenId* tokens, TokenOrder order,
                        const float* d_out, float* d_table, float* d_position_table);

}  // namespace btm::cuda
