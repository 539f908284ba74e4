#include "btm/model/cuda/device.cuh"
#include "btm/model/cuda/rope.h"

namespace btm::cuda {
namespace {

constexpr int kThreads = 128;

// A thread turns one pair of numbers.
__global__ void rope_kernel(const float* table, float direction, int rows, int length, int heads, int head_dim, bf16* x,
                            int stride) {
  const int half = head_dim / 2, pairs = heads * half;
  const std::size_t index = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int row = static_cast<int>(index / pairs), pair = static_cast<int>(index % pairs);
  if (row >= rows) return;
  const int i = pair % half;
  bf16* first = x + std::size_t(row) * stride + pair / half * head_dim + i;
  const float* angle = table + std::size_t(row % length) * head_dim;
  const float cosine = angle[i], sine = direction * angle[half + i];
  const float a = to_float(first[0]), b = to_float(first[half]);
  first[0] = to_bf16(a * cosine - b * sine);
  first[half] = to_bf16(b * cosine + a * sine);
}

}  // namespace

void rope(cudaStream_t stream, const float* table, Turn turn, int rows, int length, int heads, int head_dim, bf16* x,
          int stride) {
  const std::size_t pairs = std::size_t(rows) * heads * (head_dim / 2);
  launch(rope_kernel, ceil_div(pairs, kThreads), kThreads, 0, stream, table, turn == Turn::forward ? 1.0f : -1.0f, rows,
         length, heads, head_dim, x, stride);
}

}  // namespace btm::cuda
