#include <cstddef>
#include <cstring>

#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/embedding.h"

namespace btm {

// Gathering rows is bound by memory: the additions are those of bias_forward, a row at a time.
void embedding_forward(int rows, int width, const TokenId* tokens, const int* positions, const float* table,
                       const float* position_table, float* out) {
  for (int row = 0; row < rows; ++row, out += width) {
    std::memcpy(out, table + static_cast<std::size_t>(tokens[row]) * width, sizeof(float) * width);
    if (position_table)
      bias_forward(1, width, out, position_table + static_cast<std::size_t>(positions[row]) * width, out);
  }
}

void embedding_backward(int rows, int width, int begin, int end, const TokenId* tokens, const int* positions,
                        const float* d_out, float* d_table, float* d_position_table) {
  const int columns = end - begin;
  for (int row = 0; row < rows; ++row) {
    const float* from = d_out + static_cast<std::size_t>(row) * width + begin;
    bias_backward(1, columns, from, d_table + static_cast<std::size_t>(tokens[row]) * width + begin);
    if (d_position_table) {
      bias_backward(1, columns, from, d_position_table + static_cast<std::size_t>(positions[row]) * width + begin);
    }
  }
}

}  // namespace btm
