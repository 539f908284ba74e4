#include <algorithm>

#include "btm/model/cuda/columns.cuh"
#include "btm/model/cuda/norm.h"

namespace btm::cuda {
namespace {

constexpr int kForwardWarps = 4;       // of a block, a row each
constexpr int kBackwardThreads = 256;  // of a block, all on one row, at most
constexpr int kStep = 4;               // numbers that a thread takes at once

// A thread reads again what it wrote itself: a row lies in the first cache by then.
__global__ void norm_forward_kernel(NormShape shape, int rows, const float* input, const bf16* delta, const float* gain,
                                    const float* shift, float* sum, bf16* normed, float* statistics) {
  const int row = blockIdx.x * kForwardWarps + threadIdx.x / kWarp;
  if (row >= rows) return;
  const int first = threadIdx.x % kWarp * kStep, width = shape.width;
  const std::size_t at = std::size_t(row) * width;
  float mean = 0;
  for (int c = first; c < width; c += kWarp * kStep) {
    Pack<float, kStep> x = load<kStep>(input + at + c);
    if (delta) {
      const Pack<bf16, kStep> d = load<kStep>(delta + at + c);
      for (int i = 0; i < kStep; ++i) x.v[i] += to_float(d.v[i]);
    }
    for (int i = 0; i < kStep; ++i) mean += x.v[i];
    store(sum + at + c, x);
  }
  mean = shape.centred ? over_warp(mean, Sum()) / width : 0;
  float squares = 0;
  for (int c = first; c < width; c += kWarp * kStep) {
    const Pack<float, kStep> x = load<kStep>(sum + at + c);
    for (int i = 0; i < kStep; ++i) squares += (x.v[i] - mean) * (x.v[i] - mean);
  }
  const float scale = rsqrtf(over_warp(squares, Sum()) / width + shape.epsilon);
  for (int c = first; c < width; c += kWarp * kStep) {
    const Pack<float, kStep> x = load<kStep>(sum + at + c), g = load<kStep>(gain + c);
    Pack<float, kStep> s = {};
    if (shift) s = load<kStep>(shift + c);
    Pack<bf16, kStep> y;
    for (int i = 0; i < kStep; ++i) y.v[i] = to_bf16((x.v[i] - mean) * scale * g.v[i] + s.v[i]);
    store(normed + at + c, y);
  }
  if (first == 0) {
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = scale;
  }
}

// A block takes every gridDim.x-th row and leaves the column sums of its rows in parts[kind][block]: of the gain's
// gradient, the shift's, and of the new d_sum. Each thread keeps to its own columns.
__global__ void norm_backward_kernel(NormShape shape, int rows, const float* sum, const float* gain,
                                     const float* statistics, const bf16* d_normed, float* d_sum, bf16* rounded,
                                     float* parts) {
  __shared__ float scratch[2][kWarp];
  const int width = shape.width, first = threadIdx.x * kStep, step = blockDim.x * kStep;
  float *d_gain = shared_floats(), *d_shift = d_gain + width, *d_bias = d_shift + width;
  for (int c = first; c < width; c += step) {
    for (int i = 0; i < kStep; ++i) d_gain[c + i] = d_shift[c + i] = d_bias[c + i] = 0;
  }
  for (int row = blockIdx.x; row < rows; row += gridDim.x) {
    const std::size_t at = std::size_t(row) * width;
    const float mean = statistics[2 * row], scale = statistics[2 * row + 1];
    float d_mean = 0,
          d_scale =
              0;  // of the gradient by the normalised number, before the gain: its mean, and that of it x the number
    for (int c = first; c < width; c += step) {
      const Pack<float, kStep> x = load<kStep>(sum + at + c), g = load<kStep>(gain + c);
      const Pack<bf16, kStep> d = load<kStep>(d_normed + at + c);
      for (int i = 0; i < kStep; ++i) {
        const float dy = to_float(d.v[i]), unit = (x.v[i] - mean) * scale;
        d_gain[c + i] += dy * unit;
        d_shift[c + i] += dy;
        d_mean += dy * g.v[i];
        d_scale += dy * g.v[i] * unit;
      }
    }
    d_mean = shape.centred ? over_block(d_mean, 0, scratch[0], Sum()) / width : 0;
    d_scale = over_block(d_scale, 0, scratch[1], Sum()) / width;
    for (int c = first; c < width; c += step) {
      const Pack<float, kStep> x = load<kStep>(sum + at + c), g = load<kStep>(gain + c);
      const Pack<bf16, kStep> d = load<kStep>(d_normed + at + c);
      Pack<float, kStep> out = load<kStep>(d_sum + at + c);
      Pack<bf16, kStep> narrow;
      for (int i = 0; i < kStep; ++i) {
        const float unit = (x.v[i] - mean) * scale;
        out.v[i] += scale * (to_float(d.v[i]) * g.v[i] - d_mean - unit * d_scale);
        narrow.v[i] = to_bf16(out.v[i]);
        d_bias[c + i] += out.v[i];
      }
      store(d_sum + at + c, out);
      store(rounded + at + c, narrow);
    }
    __syncthreads();  // the scratch is free again
  }
  const std::size_t set = std::size_t(blockIdx.x) * width, kind = std::size_t(gridDim.x) * width;
  for (int c = first; c < width; c += step) {
    for (int i = 0; i < kStep; ++i) {
      parts[set + c + i] = d_gain[c + i];
      parts[kind + set + c + i] = d_shift[c + i];
      parts[2 * kind + set + c + i] = d_bias[c + i];
    }
  }
}

}  // namespace

void norm_forward(cudaStream_t stream, const NormShape& shape, int rows, const float* input, const bf16* delta,
                  const float* gain, const float* shift, float* sum, bf16* normed, float* statistics) {
  launch(norm_forward_kernel, ceil_div(rows, kForwardWarps), kForwardWarps * kWarp, 0, stream, shape, rows, input,
         delta, gain, shift, sum, normed, statistics);
}

void norm_backward(cudaStream_t stream, const NormShape& shape, int rows, const float* sum, const float* gain,
                   const float* statistics, const bf16* d_normed, float* d_sum, bf16* rounded, float* d_gain,
                   float* d_shift, float* d_delta_bias, float* partial) {
  const int blocks = std::min(rows, kPartSets);
  launch(norm_backward_kernel, blocks, threads_for(shape.width / kStep, kBackwardThreads),
         3 * shape.width * sizeof(float), stream, shape, rows, sum, gain, statistics, d_normed, d_sum, rounded,
         partial);
  add_parts(stream, blocks, shape.width, partial, {d_gain, d_shift, d_delta_bias});
}

std::size_t norm_partial_floats(int width) {
  return std::size_t(3) * kPartSets * width;
}

}  // namespace btm::cuda
