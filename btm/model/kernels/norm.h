// LayerNorm and RMSNorm, fused with the residual addition before them.
#pragma once

#include "btm/model/operands.h"

namespace btm {

struct NormShape {
  bool centred;  // LayerNorm subtracts the mean and adds a shift; RMSNorm does neither
  int width;
  float epsilon;
};

// For `rows` rows of `width`:
//   sum = input + delta + delta_bias       (delta and delta_bias may be null; sum may be input itself)
//   normed = (sum - mean) x scale x gain + shift
// and statistics [rows, 2] = (mean, scale). gain, shift, delta_bias: [width]; shift is null where not centred.
void norm_forward(const NormShape& shape, int rows, const float* input, const float* delta, const float* delta_bias,
                  const float* gain, const float* shift, float* sum, OperandArray normed, float* statistics);

// d_sum += the gradient through the norm, also written to `rounded` (may be null); d_gain and d_shift (null where not
// centred) accumulate over the rows, and d_delta_bias (may be null) the column sums of the new d_sum.
void norm_backward(const NormShape& shape, int rows, const float* sum, const float* gain, const float* statistics,
                   const float* d_normed, float* d_sum, bf16* rounded, float* d_gain, float* d_shift,
                   float* d_delta_bias);

}  // namespace btm
