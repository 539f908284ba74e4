// Sums over the rows of a matrix in two steps whose order is fixed: equal inputs give equal bytes, which atomic
// additions would not.
#pragma once

#include "btm/model/cuda/device.cuh"

namespace btm::cuda {

constexpr int kPartSets =
    512;  // partial sums of each column, at most: four blocks for each of a large GPU's processors
constexpr int kPartKinds = 3;

// sums.of[kind] [width] += the column sums of parts [kind] [sets, width], for those that are not null.
struct ColumnSums {
  float* of[kPartKinds];
};
void add_parts(cudaStream_t stream, int sets, int width, const float* parts, ColumnSums sums);

}  // namespace btm::cuda
