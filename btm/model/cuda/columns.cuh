// Sums over the rows of a matrix in two steps whose order is fixed: equal inputs give equal bytes, which atomic
// additions would not.
#pragma once

#include <algorithm>

#include "btm/model/cuda/columns.h"
#include "btm/model/cuda/device.cuh"

namespace btm::cuda {

constexpr int kColumnThreads = 128;
constexpr int kColumnStep = 4;   // columns of a thread
constexpr int kRowsOfPart = 32;  // that it goes down, at least

// sums.of[kind] [width] += the column sums of parts [kind] [sets, width], for those that are not null.
struct ColumnSums {
  float* of[kPartKinds];
};
void add_parts(cudaStream_t stream, int sets, int width, const float* parts, ColumnSums sums);

// The column sums of the rows [blockIdx.y x part, ...) into parts [gridDim.y, width]. `numbers` says what is summed,
// and may write it: numbers.load(row, column) loads what lies at kColumnStep columns, numbers.put(row, column, what was
// loaded) gives their numbers as Pack<float, kColumnStep>. Numbers::kRowsAtOnce rows are loaded before the first is
// put.
template <class Numbers>
__global__ void column_parts(Numbers numbers, int rows, int width, int part, float* parts) {
  const int column = (blockIdx.x * blockDim.x + threadIdx.x) * kColumnStep;
  if (column >= width) return;
  const int end = min(rows, (static_cast<int>(blockIdx.y) + 1) * part);
  Pack<float, kColumnStep> sums = {};
  constexpr int kRowsAtOnce = Numbers::kRowsAtOnce;
  const auto put = [&](int row, const typename Numbers::Loaded& loaded) {
    const Pack<float, kColumnStep> x = numbers.put(row, column, loaded);
    for (int i = 0; i < kColumnStep; ++i) sums.v[i] += x.v[i];
  };
  int row = blockIdx.y * part;
  for (; row + kRowsAtOnce <= end; row += kRowsAtOnce) {
    typename Numbers::Loaded loaded[kRowsAtOnce];
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r) loaded[r] = numbers.load(row + r, column);
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r) put(row + r, loaded[r]);
  }
  for (; row < end; ++row) put(row, numbers.load(row, column));
  store(parts + std::size_t(blockIdx.y) * width + column, sums);
}

// sums [width] += the column sums of `numbers`; width is a multiple of kColumnStep. partial: [kPartSets, width] of
// scratch.
template <class Numbers>
void sum_columns(cudaStream_t stream, Numbers numbers, int rows, int width, float* sums, float* partial) {
  const int sets = std::clamp<int>(rows / kRowsOfPart, 1, kPartSets), part = static_cast<int>(ceil_div(rows, sets));
  const dim3 blocks(ceil_div(width, kColumnThreads * kColumnStep), sets);
  launch(column_parts<Numbers>, blocks, kColumnThreads, 0, stream, numbers, rows, width, part, partial);
  add_parts(stream, sets, width, partial, {sums, nullptr, nullptr});
}

}  // namespace btm::cuda
