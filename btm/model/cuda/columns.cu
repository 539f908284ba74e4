#include "btm/model/cuda/columns.cuh"

namespace btm::cuda {
namespace {

constexpr int kMostWarps = 32;
constexpr int kSetsOfWarp = 4;   // at least
constexpr int kSetsAtOnce = 16;  // that are loaded before the first is added

// A block has a warp's width of columns; its warps share the sets.
__global__ void add_parts_kernel(int sets, int width, const float* parts, ColumnSums sums) {
  __shared__ float of_warp[kMostWarps][kWarp + 1];
  float* to = sums.of[blockIdx.y];
  if (!to) return;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  const int column = blockIdx.x * kWarp + lane;
  const float* from = parts + std::size_t(blockIdx.y) * sets * width + column;
  float sum = 0;
  if (column < width) {
    int set = warp;
    for (; set + (kSetsAtOnce - 1) * warps < sets; set += kSetsAtOnce * warps) {
      float x[kSetsAtOnce];
#pragma unroll
      for (int i = 0; i < kSetsAtOnce; ++i) x[i] = from[std::size_t(set + i * warps) * width];
#pragma unroll
      for (int i = 0; i < kSetsAtOnce; ++i) sum += x[i];
    }
    for (; set < sets; set += warps) sum += from[std::size_t(set) * width];
  }
  of_warp[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || column >= width) return;
  for (int other = 1; other < warps; ++other) sum += of_warp[other][lane];
  to[column] += sum;
}

}  // namespace

void add_parts(cudaStream_t stream, int sets, int width, const float* parts, ColumnSums sums) {
  const unsigned threads = threads_for(static_cast<int>(ceil_div(sets, kSetsOfWarp)) * kWarp, kMostWarps * kWarp);
  launch(add_parts_kernel, dim3(ceil_div(width, kWarp), kPartKinds), threads, 0, stream, sets, width, parts, sums);
}

}  // namespace btm::cuda
