#include "btm/model/cuda/columns.cuh"

namespace btm::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void add_parts_kernel(int sets, int width, const float* parts, float* sums) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= width) return;
  float sum = 0;
  for (int set = 0; set < sets; ++set) sum += parts[std::size_t(set) * width + column];
  sums[column] += sum;
}

}  // namespace

void add_parts(cudaStream_t stream, int sets, int width, const float* parts, float* sums) {
  launch(add_parts_kernel, ceil_div(width, kThreads), kThreads, 0, stream, sets, width, parts, sums);
}

}  // namespace btm::cuda
