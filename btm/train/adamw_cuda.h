// The update of AdamW on the GPU; see adamw.h for what it computes.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "btm/model/bf16.h"
#include "btm/train/adamw_kernels.h"

namespace btm::cuda {

constexpr std::size_t kAdamwBlock = 4096;  // parameters of a block, at most; begin and size are multiples of 4

constexpr int kNormParts = 1024;
// *norm = sqrt(sum of gradients^2), summed in double and in a fixed order. parts: [kNormParts] of scratch.
void gradient_norm(cudaStream_t stream, std::size_t size, const float* gradients, double* parts, double* norm);

// Updates the parameters p, their rounded copy and their moments m and v, and clears their gradients g, all flat
// arrays. The gradients are scaled to the norm `clip` (0: not) where *norm is above it; where it is not finite nothing
// changes. scalars.decay is for blocks that decay; scalars.gradient_scale is not looked at.
void adamw_update(cudaStream_t stream, const AdamwScalars& scalars, double clip, const double* norm, int count,
                  const AdamwBlock* blocks, float* p, bf16* rounded, float* m, float* v, float* g);

// rounded [size] = p, to the nearest
void round_parameters(cudaStream_t stream, std::size_t size, const float* p, bf16* rounded);

}  // namespace btm::cuda
