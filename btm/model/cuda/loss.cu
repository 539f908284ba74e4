#include "btm/model/cuda/device.cuh"
#include "btm/model/cuda/loss.h"

namespace btm::cuda {
namespace {

// Of a block, all on one row, at most. The rows that the GPU is at work on are read a second time out of its L2 cache,
// so they should be few.
constexpr int kThreads = 1024;
constexpr int kStep = 8;  // numbers that a thread takes at once

constexpr float kLog2E = 1.4426950409f;  // exponentials are of base 2, which is what the hardware has

// From column c of a row on; behind its end there is nothing, whose exponential is 0.
__device__ inline Pack<float, kStep> load_logits(const bf16* x, int c, int vocab) {
  Pack<float, kStep> v = to_floats(load<kStep>(x + c));
  if (c + kStep > vocab) {
    for (int i = 0; i < kStep; ++i) v.v[i] = c + i < vocab ? v.v[i] : -INFINITY;
  }
  return v;
}

template <bool gradient>
__global__ void cross_entropy_kernel(int vocab, int stride, bf16* logits, const TokenId* targets, float scale,
                                     float* log_probs) {
  __shared__ float scratch[2][kWarp];
  const int row = blockIdx.x, first = threadIdx.x * kStep, step = blockDim.x * kStep;
  const TokenId target = targets[row];
  bf16* x = logits + std::size_t(row) * stride;
  if (target == kNoToken) {
    if (threadIdx.x == 0) log_probs[row] = 0;
    if (gradient) {
      for (int c = first; c < vocab; c += step) store(x + c, Pack<bf16, kStep>{});
    }
    return;
  }
  float most = -INFINITY, sum = 0;  // of this thread: the largest, and the sum of exp(x - largest)
  for (int c = first; c < vocab; c += step) {
    const Pack<float, kStep> v = load_logits(x, c, vocab);
    float largest = v.v[0];
    for (int i = 1; i < kStep; ++i) largest = fmaxf(largest, v.v[i]);
    if (largest > most) {
      sum *= exp2f((most - largest) * kLog2E);
      most = largest;
    }
    const float offset = -most * kLog2E;
    for (int i = 0; i < kStep; ++i) sum += exp2f(v.v[i] * kLog2E + offset);
  }
  const float top = over_block(most, -INFINITY, scratch[0], Max());
  // A thread without numbers has most = -infinity and sum = 0.
  const float log_total = top + logf(over_block(sum * exp2f((most - top) * kLog2E), 0, scratch[1], Sum()));
  if (threadIdx.x == 0) log_probs[row] = to_float(x[target]) - log_total;
  if (!gradient) return;
  const float offset = -log_total * kLog2E;
  __syncthreads();  // the target's logit has been read
  for (int c = first; c < vocab; c += step) {
    Pack<float, kStep> d = load_logits(x, c, vocab);
    for (int i = 0; i < kStep; ++i) d.v[i] = scale * exp2f(d.v[i] * kLog2E + offset);
    if (c <= target && target < c + kStep) {
      for (int i = 0; i < kStep; ++i) d.v[i] -= c + i == target ? scale : 0;
    }
    store(x + c, to_bf16(d));
  }
}

__global__ void subtract_sum_kernel(int count, const float* log_probs, double* total) {
  __shared__ float scratch[kWarp];
  float sum = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += log_probs[i];
  sum = over_block(sum, 0, scratch, Sum());
  if (threadIdx.x == 0) *total -= sum;
}

}  // namespace

void log_probabilities(cudaStream_t stream, int rows, int vocab, const bf16* logits, const TokenId* targets,
                       float* log_probs) {
  launch(cross_entropy_kernel<false>, rows, threads_for(padded(vocab) / kStep, kThreads), 0, stream, vocab,
         padded(vocab), const_cast<bf16*>(logits), targets, 0.0f, log_probs);
}

void cross_entropy(cudaStream_t stream, int rows, int vocab, bf16* logits, const TokenId* targets, float scale,
                   float* log_probs) {
  launch(cross_entropy_kernel<true>, rows, threads_for(padded(vocab) / kStep, kThreads), 0, stream, vocab,
         padded(vocab), logits, targets, scale, log_probs);
}

void subtract_sum(cudaStream_t stream, int count, const float* log_probs, double* sum) {
  launch(subtract_sum_kernel, 1, kThreads, 0, stream, count, log_probs, sum);
}

}  // namespace btm::cuda
