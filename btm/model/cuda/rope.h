// Rotary positions on the GPU; see ../kernels/rope.h. (Gradients are turned back in heads.h.)
#pragma once

#include <cuda_runtime.h>

#include "btm/model/bf16.h"

namespace btm::cuda {

// Turns `heads` heads, side by side at the start of each row of x [rows, stride]; row r is at position r % length.
// table: as rope_table().
void rope(cudaStream_t stream, const float* table, int rows, int length, int heads, int head_dim, bf16* x, int stride);

}  // namespace btm::cuda
