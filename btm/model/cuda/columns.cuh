// Sums over the rows of a matrix in two steps whose order is fixed: equal inputs give equal bytes, which atomic
// additions would not.
#pragma once

#include "btm/model/cuda/device.cuh"

namespace btm::cuda {

constexpr int kPartSets = 256;  // partial sums of each column, at most

// sums [width] += the column sums of parts [sets, width]
void add_parts(cudaStream_t stream, int sets, int width, const float* parts, float* sums);

}  // namespace btm::cuda
