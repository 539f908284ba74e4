// Token and position embeddings.
#pragma once

#include "btm/core/token.h"

namespace btm {

// out [rows, width] = table[tokens[row]] + position_table[positions[row]]; position_table may be null (rotary models).
void embedding_forward(int rows, int width, const TokenId* tokens, const int* positions, const float* table,
                       const float* position_table, float* out);
// Adds the rows of d_out to those of d_table and d_position_table (may be null), in the columns from `begin` up to
// `end`.
void embedding_backward(int rows, int width, int begin, int end, const TokenId* tokens, const int* positions,
                        const float* d_out, float* d_table, float* d_position_table);

}  // namespace btm
