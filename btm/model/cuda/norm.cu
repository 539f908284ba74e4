#include <algorithm>
#include <type_traits>

#include "btm/model/cuda/columns.cuh"
#include "btm/model/cuda/norm.h"

namespace btm::cuda {
namespace {

constexpr int kForwardWarps = 4;       // of a block, a row each
constexpr int kBackwardThreads = 256;  // of a block, all on one row, at most
constexpr int kBackwardBlocks = 6;     // for which a multiprocessor's registers are to do, at least
constexpr int kStep = 4;               // numbers that a thread takes at once

// A thread keeps its numbers of a row in registers: `rounds` times kStep, each a warp's width from the last.
template <int rounds>
__global__ void norm_forward_kernel(NormShape shape, int rows, const float* input, const bf16* delta, const float* gain,
                                    const float* shift, float* sum, bf16* normed, float* statistics) {
  const int row = blockIdx.x * kForwardWarps + threadIdx.x / kWarp;
  if (row >= rows) return;
  const int first = threadIdx.x % kWarp * kStep, width = shape.width;
  const float share = 1.0f / width;
  const std::size_t at = std::size_t(row) * width;
  Pack<float, kStep> x[rounds];
  float mean = 0;
#pragma unroll
  for (int r = 0; r < rounds; ++r) {
    const int c = first + r * kWarp * kStep;
    if (c >= width) break;
    x[r] = load<kStep>(input + at + c);
    if (delta) {
      const Pack<bf16, kStep> d = load<kStep>(delta + at + c);
      for (int i = 0; i < kStep; ++i) x[r].v[i] += to_float(d.v[i]);
    }
    for (int i = 0; i < kStep; ++i) mean += x[r].v[i];
    store(sum + at + c, x[r]);
  }
  mean = shape.centred ? over_warp(mean, Sum()) * share : 0;
  float squares = 0;
#pragma unroll
  for (int r = 0; r < rounds; ++r) {
    if (first + r * kWarp * kStep >= width) break;
    for (int i = 0; i < kStep; ++i) {
      x[r].v[i] -= mean;
      squares += x[r].v[i] * x[r].v[i];
    }
  }
  const float scale = rsqrtf(over_warp(squares, Sum()) * share + shape.epsilon);
#pragma unroll
  for (int r = 0; r < rounds; ++r) {
    const int c = first + r * kWarp * kStep;
    if (c >= width) break;
    const Pack<float, kStep> g = load<kStep>(gain + c);
    Pack<float, kStep> s = {};
    if (shift) s = load<kStep>(shift + c);
    for (int i = 0; i < kStep; ++i) s.v[i] += x[r].v[i] * scale * g.v[i];
    store(normed + at + c, to_bf16(s));
  }
  if (first == 0) {
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = scale;
  }
}

struct TwoSums {
  float a, b;
};
// Of all threads of the block, in each of them. `scratch`: [kBackwardThreads / kWarp], not the one of the call before.
__device__ inline TwoSums over_block(TwoSums x, TwoSums* scratch) {
  x = {over_warp(x.a, Sum()), over_warp(x.b, Sum())};
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = x;
  __syncthreads();
  x = scratch[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) {
    x.a += scratch[warp].a;
    x.b += scratch[warp].b;
  }
  return x;
}

// A block takes every gridDim.x-th row and leaves the column sums of its rows in parts[kind][block]: of the gain's
// gradient, the shift's, and of the new d_sum. Each thread keeps to its own columns, `rounds` times kStep, and has all
// of them in registers.
template <int rounds>
__global__ void __launch_bounds__(kBackwardThreads, rounds == 1 ? kBackwardBlocks : 1)
    norm_backward_kernel(NormShape shape, int rows, const float* sum, const float* gain, const float* statistics,
                         const bf16* d_normed, float* d_sum, bf16* rounded, float* parts) {
  __shared__ TwoSums scratch[2][kBackwardThreads / kWarp];  // taken in turn, so that nobody writes where others read
  const int width = shape.width, first = threadIdx.x * kStep, step = blockDim.x * kStep;
  const float share = 1.0f / width;
  Pack<float, kStep> gains[rounds], d_gain[rounds] = {}, d_shift[rounds] = {}, d_bias[rounds] = {};
#pragma unroll
  for (int r = 0; r < rounds; ++r) {
    if (first + r * step < width) gains[r] = load<kStep>(gain + first + r * step);
  }
  int turn = 0;
  for (int row = blockIdx.x; row < rows; row += gridDim.x, turn ^= 1) {
    const std::size_t at = std::size_t(row) * width;
    const float mean = statistics[2 * row], scale = statistics[2 * row + 1];
    Pack<float, kStep> unit[rounds], d[rounds], out[rounds];  // the normalised numbers, their gradients, and d_sum
    TwoSums of_row = {0, 0};                                  // of these gradients, and of them x the numbers
#pragma unroll
    for (int r = 0; r < rounds; ++r) {
      const int c = first + r * step;
      if (c >= width) break;
      unit[r] = load<kStep>(sum + at + c);
      d[r] = to_floats(load<kStep>(d_normed + at + c));
      out[r] = load<kStep>(d_sum + at + c);
      for (int i = 0; i < kStep; ++i) {
        unit[r].v[i] = (unit[r].v[i] - mean) * scale;
        d_gain[r].v[i] += d[r].v[i] * unit[r].v[i];
        d_shift[r].v[i] += d[r].v[i];
        d[r].v[i] *= gains[r].v[i];
        of_row.a += d[r].v[i];
        of_row.b += d[r].v[i] * unit[r].v[i];
      }
    }
    of_row = over_block(of_row, scratch[turn]);
    const float d_mean = shape.centred ? of_row.a * share : 0, d_scale = of_row.b * share;
#pragma unroll
    for (int r = 0; r < rounds; ++r) {
      const int c = first + r * step;
      if (c >= width) break;
      for (int i = 0; i < kStep; ++i) {
        out[r].v[i] += scale * (d[r].v[i] - d_mean - unit[r].v[i] * d_scale);
        d_bias[r].v[i] += out[r].v[i];
      }
      store(d_sum + at + c, out[r]);
      store(rounded + at + c, to_bf16(out[r]));
    }
  }
  const std::size_t set = std::size_t(blockIdx.x) * width, kind = std::size_t(gridDim.x) * width;
#pragma unroll
  for (int r = 0; r < rounds; ++r) {
    const int c = first + r * step;
    if (c >= width) break;
    store(parts + set + c, d_gain[r]);
    store(parts + kind + set + c, d_shift[r]);
    store(parts + 2 * kind + set + c, d_bias[r]);
  }
}

// Calls work(the first of least, 2 x least, ... most, as a type, that is `rounds` or more).
template <int least, int most, class Work>
void with_rounds(int rounds, Work&& work) {
  if constexpr (least < most) {
    if (rounds > least) return with_rounds<2 * least, most>(rounds, work);
  }
  work(std::integral_constant<int, least>());
}

}  // namespace

void norm_forward(cudaStream_t stream, const NormShape& shape, int rows, const float* input, const bf16* delta,
                  const float* gain, const float* shift, float* sum, bf16* normed, float* statistics) {
  with_rounds<2, kWidestNorm / (kWarp * kStep)>(
      static_cast<int>(ceil_div(shape.width, kWarp * kStep)), [&](auto rounds) {
        launch(norm_forward_kernel<rounds>, ceil_div(rows, kForwardWarps), kForwardWarps * kWarp, 0, stream, shape,
               rows, input, delta, gain, shift, sum, normed, statistics);
      });
}

void norm_backward(cudaStream_t stream, const NormShape& shape, int rows, const float* sum, const float* gain,
                   const float* statistics, const bf16* d_normed, float* d_sum, bf16* rounded, float* d_gain,
                   float* d_shift, float* d_delta_bias, float* partial) {
  const int blocks = std::min(rows, kPartSets);
  with_rounds<1, kWidestNorm / (kBackwardThreads * kStep)>(
      static_cast<int>(ceil_div(shape.width, kBackwardThreads * kStep)), [&](auto rounds) {
        launch(norm_backward_kernel<rounds>, blocks, threads_for(shape.width / kStep, kBackwardThreads), 0, stream,
               shape, rows, sum, gain, statistics, d_normed, d_sum, rounded, partial);
      });
  add_parts(stream, blocks, shape.width, partial, {d_gain, d_shift, d_delta_bias});
}

}  // namespace btm::cuda
