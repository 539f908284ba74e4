#include "btm/model/cuda/device.cuh"
#include "btm/train/adamw_cuda.h"

namespace btm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kStep = 4;  // numbers that a thread takes at once

// Of the whole block, in its first thread.
__device__ double sum_over_block(double x, double* scratch) {
  scratch[threadIdx.x] = x;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
  }
  return scratch[0];
}

__global__ void square_parts(std::size_t size, const float* gradients, double* parts) {
  __shared__ double scratch[kThreads];
  double sum = 0;
  const std::size_t step = std::size_t(gridDim.x) * kThreads * kStep;
  for (std::size_t at = (std::size_t(blockIdx.x) * kThreads + threadIdx.x) * kStep; at < size; at += step) {
    const Pack<float, kStep> g = load<kStep>(gradients + at);
    for (int i = 0; i < kStep; ++i) sum += double(g.v[i]) * double(g.v[i]);
  }
  sum = sum_over_block(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void root_of_parts(int count, const double* parts, double* norm) {
  __shared__ double scratch[kThreads];
  double sum = 0;
  for (int i = threadIdx.x; i < count; i += kThreads) sum += parts[i];
  sum = sum_over_block(sum, scratch);
  if (threadIdx.x == 0) *norm = sqrt(sum);
}

__global__ void adamw_kernel(AdamwScalars s, double clip, const double* norm, const AdamwBlock* blocks, float* p,
                             bf16* rounded, float* m, float* v, float* g) {
  const double length = *norm;  // may be finite where a float isn't
  if (!isfinite(length)) return;
  const float scale = clip > 0 ? static_cast<float>(fmin(1.0, clip / (length + kClipEpsilon))) : 1.0f;
  const AdamwBlock block = blocks[blockIdx.x];
  const float decay = block.decay ? s.decay : 1.0f;
  for (std::size_t i = threadIdx.x * kStep; i < block.size; i += kThreads * kStep) {
    const std::size_t at = block.begin + i;
    Pack<float, kStep> pi = load<kStep>(p + at), mi = load<kStep>(m + at), vi = load<kStep>(v + at);
    const Pack<float, kStep> gi = load<kStep>(g + at);
    Pack<bf16, kStep> narrow;
    for (int k = 0; k < kStep; ++k) {
      const float gradient = gi.v[k] * scale;
      mi.v[k] += (gradient - mi.v[k]) * s.beta1_rest;
      vi.v[k] = vi.v[k] * s.beta2 + gradient * gradient * s.beta2_rest;
      pi.v[k] = pi.v[k] * decay - s.step * mi.v[k] / (sqrtf(vi.v[k]) * s.inverse_root + s.epsilon);
      narrow.v[k] = to_bf16(pi.v[k]);
    }
    store(p + at, pi);
    store(rounded + at, narrow);
    store(m + at, mi);
    store(v + at, vi);
    store(g + at, Pack<float, kStep>{});
  }
}

__global__ void round_kernel(std::size_t size, const float* p, bf16* rounded) {
  const std::size_t at = std::size_t(blockIdx.x) * kThreads + threadIdx.x;
  if (at < size) rounded[at] = to_bf16(p[at]);
}

}  // namespace

void gradient_norm(cudaStream_t stream, std::size_t size, const float* gradients, double* parts, double* norm) {
  const unsigned blocks = min(ceil_div(size, kThreads * kStep), unsigned(kNormParts));
  launch(square_parts, blocks, kThreads, 0, stream, size, gradients, parts);
  launch(root_of_parts, 1, kThreads, 0, stream, static_cast<int>(blocks), parts, norm);
}

void adamw_update(cudaStream_t stream, const AdamwScalars& scalars, double clip, const double* norm, int count,
                  const AdamwBlock* blocks, float* p, bf16* rounded, float* m, float* v, float* g) {
  launch(adamw_kernel, count, kThreads, 0, stream, scalars, clip, norm, blocks, p, rounded, m, v, g);
}

void round_parameters(cudaStream_t stream, std::size_t size, const float* p, bf16* rounded) {
  launch(round_kernel, ceil_div(size, kThreads), kThreads, 0, stream, size, p, rounded);
}

}  // namespace btm::cuda
