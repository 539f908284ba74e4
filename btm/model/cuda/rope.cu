#include "btm/model/cuda/rope.cuh"
#include "btm/model/cuda/rope.h"

namespace btm::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void rope_kernel(const float* table, int rows, int length, int heads, int head_dim, bf16* x, int stride) {
  const int half = head_dim / 2, of_row = heads * half / kPairs;
  const std::size_t index = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int row = static_cast<int>(index / of_row), pair = static_cast<int>(index % of_row) * kPairs;
  if (row >= rows) return;
  const int i = pair % half;
  bf16* first = x + std::size_t(row) * stride + pair / half * head_dim + i;
  const Pairs turned = turn({load<kPairs>(first), load<kPairs>(first + half)},
                            table + std::size_t(row % length) * head_dim + i, half, 1.0f);
  store(first, turned.first);
  store(first + half, turned.second);
}

}  // namespace

void rope(cudaStream_t stream, const float* table, int rows, int length, int heads, int head_dim, bf16* x, int stride) {
  const std::size_t threads = std::size_t(rows) * heads * (head_dim / 2) / kPairs;
  launch(rope_kernel, ceil_div(threads, kThreads), kThreads, 0, stream, table, rows, length, heads, head_dim, x,
         stride);
}

}  // namespace btm::cuda
