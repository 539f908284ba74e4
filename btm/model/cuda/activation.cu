#include "btm/model/cuda/activation.h"
#include "btm/model/cuda/columns.cuh"

namespace btm::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kStep = 8;  // numbers that a thread of the element-wise kernels takes at once

// To 1e-6, where accurate exponentials and divisions would take several times as many instructions, and all of these
// numbers are rounded to bf16.
__device__ inline float sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + __expf(-x));
}

// GELU's tanh form, 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), is x sigmoid(2 u).
constexpr float kTwoRoots = 1.5957691216f, kCubic = 0.044715f;

__device__ inline float gelu(float x) {
  return x * sigmoid(kTwoRoots * x * (1 + kCubic * x * x));
}
__device__ inline float gelu_slope(float x) {
  const float s = sigmoid(kTwoRoots * x * (1 + kCubic * x * x));
  return s + x * s * (1 - s) * kTwoRoots * (1 + 3 * kCubic * x * x);
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
    y.v[i] = to_bf16(g * sigmoid(g) * to_float(up.v[i]));
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
    const float s = sigmoid(g);
    gate.v[i] = to_bf16(dy * u * s * (1 + g * (1 - s)));
    up.v[i] = to_bf16(dy * g * s);
  }
  store(d_gate_up + gates, gate);
  store(d_gate_up + gates + width, up);
}

// For sum_columns().
struct ThroughGelu {
  static constexpr int kRowsAtOnce = 2;
  struct Loaded {
    Pack<bf16, kColumnStep> before, d;
  };
  const bf16* before;
  bf16* d;
  int width;

  __device__ Loaded load(int row, int column) const {
    const std::size_t at = std::size_t(row) * width + column;
    return {cuda::load<kColumnStep>(before + at), cuda::load<kColumnStep>(d + at)};
  }
  __device__ Pack<float, kColumnStep> put(int row, int column, const Loaded& x) const {
    Pack<float, kColumnStep> changed = to_floats(x.d);
    for (int i = 0; i < kColumnStep; ++i) changed.v[i] *= gelu_slope(to_float(x.before.v[i]));
    store(d + std::size_t(row) * width + column, to_bf16(changed));
    return changed;
  }
};

}  // namespace

void gelu_forward(cudaStream_t stream, int rows, int width, const bf16* before, bf16* after) {
  const std::size_t size = std::size_t(rows) * width;
  launch(gelu_kernel, ceil_div(size, kThreads * kStep), kThreads, 0, stream, size, before, after);
}

void gelu_backward(cudaStream_t stream, int rows, int width, const bf16* before, bf16* d, float* d_bias,
                   float* partial) {
  sum_columns(stream, ThroughGelu{before, d, width}, rows, width, d_bias, partial);
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

}  // namespace btm::cuda
