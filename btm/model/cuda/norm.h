// LayerNorm and RMSNorm on the GPU, fused with the residual addition before them; see ../kernels/norm.h.
#pragma once

#include <cuda_runtime.h>

#include "btm/model/bf16.h"
#include "btm/model/kernels/norm.h"

namespace btm::cuda {

constexpr int kWidestNorm = 8192;  // numbers of a row, at most

// For `rows` rows of `width`, a multiple of 8:
//   sum = input + delta       (delta may be null)
//   normed = (sum - mean) x scale x gain + shift
// and statistics [rows, 2] = (mean, scale). gain, shift: [width]; shift is null where not centred.
void norm_forward(cudaStream_t stream, const NormShape& shape, int rows, const float* input, const bf16* delta,
                  const float* gain, const float* shift, float* sum, bf16* normed, float* statistics);

// d_sum += the gradient through the norm, and rounded = d_sum; d_gain, d_shift (null where not centred) and
// d_delta_bias (may be null) accumulate as on the CPU. partial: [column_partial_floats(width, kPartKinds)] of scratch.
void norm_backward(cudaStream_t stream, const NormShape& shape, int rows, const float* sum, const float* gain,
                   const float* statistics, const bf16* d_normed, float* d_sum, bf16* rounded, float* d_gain,
                   float* d_shift, float* d_delta_bias, float* partial);

}  // namespace btm::cuda
