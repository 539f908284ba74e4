#include <algorithm>

#include "btm/model/cuda/activation.h"
#include "btm/model/cuda/columns.cuh"

namespace btm::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kStep = 8;         // numbers that a thread of the element-wise kernels takes at once
constexpr int kColumnStep = 2;   // columns of a thread that sums them
constexpr int kRowsOfPart = 32;  // that such a thread goes down, at least

// Of the tanh form: 0.5 x (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x^3)
constexpr float kRoot = 0.7978845608f, kCubic = 0.044715f;

__device__ inline float gelu(float x) {
  return 0.5f * x * (1 + tanhf(kRoot * (x + kCubic * x * x * x)));
}
__device__ inline float gelu_slope(float x) {
  const float t = tanhf(kRoot * (x + kCubic * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * kRoot * (1 + 3 * kCubic * x * x);
}

__global__ void gelu_kernel(std::size_t size, const bf16* before, bf16* after) {
  const std::size_t at = (std::size_t(blockIdx.x) * blockDim.x + threadIdx.x) * kStep;
  if (at >= size) return;
  Pack<bf16, kStep> x = load<kStep>(before + at);
  for (int i = 0; i < kStep; ++i) x.v[i] = to_bf16(gelu(to_float(x.v[i])));
  store(after + at, x);
}

__global__ void swiglu_kernel(std::size_t size, int width, const bf16* gate_up, bf16* after) {
  const std::size_t at = (std::size_t(blockIdx.x) * blockDim.x + threadIdx.x) * kStep;
  if (at >= size) return;
  const bf16* gates = gate_up + at / width * 2 * width + at % width;
  const Pack<bf16, kStep> gate = load<kStep>(gates), up = load<kStep>(gates + width);
  Pack<bf16, kStep> y;
  for (int i = 0; i < kStep; ++i) {
    const float g = to_float(gate.v[i]);
    y.v[i] = to_bf16(g / (1 + expf(-g)) * to_float(up.v[i]));
  }
  store(after + at, y);
}

__global__ void swiglu_backward_kernel(std::size_t size, int width, const bf16* gate_up, const bf16* d_after,
                                       bf16* d_gate_up) {
  const std::size_t at = (std::size_t(blockIdx.x) * blockDim.x + threadIdx.x) * kStep;
  if (at >= size) return;
  const std::size_t gates = at / width * 2 * width + at % width;
  Pack<bf16, kStep> gate = load<kStep>(gate_up + gates), up = load<kStep>(gate_up + gates + width);
  const Pack<bf16, kStep> d = load<kStep>(d_after + at);
  for (int i = 0; i < kStep; ++i) {
    const float g = to_float(gate.v[i]), u = to_float(up.v[i]), dy = to_float(d.v[i]);
    const float s = 1 / (1 + expf(-g));
    gate.v[i] = to_bf16(dy * u * s * (1 + g * (1 - s)));
    up.v[i] = to_bf16(dy * g * s);
  }
  store(d_gate_up + gates, gate);
  store(d_gate_up + gates + width, up);
}

struct Keep {
  static constexpr bool kChanges = false;
  __device__ float operator()(float, float d) const { return d; }
};
struct ThroughGelu {
  static constexpr bool kChanges = true;
  __device__ float operator()(float before, float d) const { return d * gelu_slope(before); }
};

// d = change(before, d); the sums of each column over the rows [blockIdx.y x part, ...) into parts [gridDim.y, width]
template <class Change>
__global__ void change_and_sum(Change change, int rows, int width, int part, const bf16* before, bf16* d,
                               float* parts) {
  const int column = (blockIdx.x * blockDim.x + threadIdx.x) * kColumnStep;
  if (column >= width) return;
  const int end = min(rows, (static_cast<int>(blockIdx.y) + 1) * part);
  float sums[kColumnStep] = {};
  for (int row = blockIdx.y * part; row < end; ++row) {
    const std::size_t at = std::size_t(row) * width + column;
    Pack<bf16, kColumnStep> x = load<kColumnStep>(d + at), b = {};
    if (Change::kChanges) b = load<kColumnStep>(before + at);
    for (int i = 0; i < kColumnStep; ++i) {
      const float changed = change(to_float(b.v[i]), to_float(x.v[i]));
      x.v[i] = to_bf16(changed);
      sums[i] += changed;
    }
    if (Change::kChanges) store(d + at, x);
  }
  for (int i = 0; i < kColumnStep; ++i) parts[std::size_t(blockIdx.y) * width + column + i] = sums[i];
}

template <class Change>
void sum_columns(cudaStream_t stream, int rows, int width, const bf16* before, bf16* d, float* d_bias, float* partial) {
  const int sets = std::clamp<int>(rows / kRowsOfPart, 1, kPartSets), part = static_cast<int>(ceil_div(rows, sets));
  const dim3 blocks(ceil_div(width, kThreads * kColumnStep), sets);
  launch(change_and_sum<Change>, blocks, kThreads, 0, stream, Change(), rows, width, part, before, d, partial);
  add_parts(stream, sets, width, partial, {d_bias, nullptr, nullptr});
}

}  // namespace

void gelu_forward(cudaStream_t stream, int rows, int width, const bf16* before, bf16* after) {
  const std::size_t size = std::size_t(rows) * width;
  launch(gelu_kernel, ceil_div(size, kThreads * kStep), kThreads, 0, stream, size, before, after);
}

void gelu_backward(cudaStream_t stream, int rows, int width, const bf16* before, bf16* d, float* d_bias,
                   float* partial) {
  sum_columns<ThroughGelu>(stream, rows, width, before, d, d_bias, partial);
}

void swiglu_forward(cudaStream_t stream, int rows, int width, const bf16* gate_up, bf16* after) {
  const std::size_t size = std::size_t(rows) * width;
  launch(swiglu_kernel, ceil_div(size, kThreads * kStep), kThreads, 0, stream, size, width, gate_up, after);
}

void swiglu_backward(cudaStream_t stream, int rows, int width, const bf16* gate_up, const bf16* d_after,
                     bf16* d_gate_up) {
  const std::size_t size = std::size_t(rows) * width;
  launch(swiglu_backward_kernel, ceil_div(size, kThreads * kStep), kThreads, 0, stream, size, width, gate_up, d_after,
         d_gate_up);
}

void bias_backward(cudaStream_t stream, int rows, int width, const bf16* dy, float* d_bias, float* partial) {
  sum_columns<Keep>(stream, rows, width, nullptr, const_cast<bf16*>(dy), d_bias, partial);
}

std::size_t bias_partial_floats(int width) {
  return std::size_t(kPartSets) * width;
}

}  // namespace btm::cuda
