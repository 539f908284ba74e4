// Token and position embeddings.
#pragma once

#include "btm/core/token.h"

namespace btm {

// out [rows, width] = table[tokens[row]] + positions[first + row mod length]; positions may be null (rotary models).
void embedding_forward(int rows, int length, int first, int width, const TokenId* tokens, const float* table,
                       const float* positions, float* out);
// Adds the rows of d_out to those of d_table and d_positions (may be null).
void embedding_backward(int rows, int length, int width, const TokenId* tokens, const float* d_out, float* d_table,
                        float* d_positions);

}  // namespace btm
