#include <cstddef>
#include <cstring>

#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/embedding.h"

namespace btm {

// Gathering rows is bound by memory: the additions are those of bias_forward, a row at a time.
void embedding_forward(int rows, int length, int first, int width, const TokenId* tokens, const float* table,
                       const float* positions, float* out) {
  for (int row = 0; row < rows; ++row, out += width) {
    std::memcpy(out, table + static_cast<std::size_t>(tokens[row]) * width, sizeof(float) * width);
    if (positions) bias_forward(1, width, positions + static_cast<std::size_t>(first + row % length) * width, out);
  }
}

void embedding_backward(int rows, int length, int width, const TokenId* tokens, const float* d_out, float* d_table,
                        float* d_positions) {
  for (int row = 0; row < rows; ++row, d_out += width) {
    bias_forward(1, width, d_out, d_table + static_cast<std::size_t>(tokens[row]) * width);
    if (d_positions) bias_forward(1, width, d_out, d_positions + static_cast<std::size_t>(row % length) * width);
  }
}

}  // namespace btm
