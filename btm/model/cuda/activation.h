// The non-linear parts of the feed-forward layers on the GPU; see ../kernels/activation.h.
// Widths are multiples of 8.
#pragma once

#include <cuda_runtime.h>

#include "btm/model/bf16.h"

namespace btm::cuda {

// after [rows, width] = gelu(before)
void gelu_forward(cudaStream_t stream, int rows, int width, const bf16* before, bf16* after);
// d [rows, width]: in d(after), out d(before); d_bias accumulates its column sums.
// partial: [column_partial_floats(width)] of scratch.
void gelu_backward(cudaStream_t stream, int rows, int width, const bf16* before, bf16* d, float* d_bias,
                   float* partial);

// gate_up [rows, 2, width]; after [rows, width] = silu(gate) x up
void swiglu_forward(cudaStream_t stream, int rows, int width, const bf16* gate_up, bf16* after);
// d_gate_up may be gate_up itself.
void swiglu_backward(cudaStream_t stream, int rows, int width, const bf16* gate_up, const bf16* d_after,
                     bf16* d_gate_up);

}  // namespace btm::cuda
