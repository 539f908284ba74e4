// What the kernels share: launching, numbers, sums over a warp and over a block.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "btm/model/bf16.h"
#include "btm/model/cuda/memory.h"

namespace btm::cuda {

constexpr int kWarp = 32;

// Starts a kernel on `blocks` blocks of `threads` threads, with `shared` bytes of shared_floats().
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 blocks, dim3 threads, std::size_t shared, cudaStream_t stream,
            Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  check_cuda(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), "a kernel");
}

inline unsigned ceil_div(std::size_t a, std::size_t b) {
  return static_cast<unsigned>((a + b - 1) / b);
}

// Threads of a block that share `items` pieces of work: whole warps, at most `most` threads.
inline unsigned threads_for(int items, int most) {
  const int warps = (items + kWarp - 1) / kWarp;
  return static_cast<unsigned>(warps * kWarp < most ? warps * kWarp : most);
}

// N numbers that one thread loads at once; the address must be a multiple of their size.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T v[N];
};
template <int N, class T>
__device__ inline Pack<T, N> load(const T* p) {
  return *reinterpret_cast<const Pack<T, N>*>(p);
}
template <int N, class T>
__device__ inline void store(T* p, const Pack<T, N>& x) {
  *reinterpret_cast<Pack<T, N>*>(p) = x;
}

__device__ inline float to_float(bf16 x) {
  return __bfloat162float(__ushort_as_bfloat16(x.bits));
}
__device__ inline bf16 to_bf16(float x) {
  return bf16{__bfloat16_as_ushort(__float2bfloat16_rn(x))};
}

template <int N>
__device__ inline Pack<float, N> to_floats(const Pack<bf16, N>& x) {
  Pack<float, N> wide;
  for (int i = 0; i < N; ++i) wide.v[i] = to_float(x.v[i]);
  return wide;
}
template <int N>
__device__ inline Pack<bf16, N> to_bf16(const Pack<float, N>& x) {
  Pack<bf16, N> narrow;
  for (int i = 0; i < N; ++i) narrow.v[i] = to_bf16(x.v[i]);
  return narrow;
}

__device__ inline float* shared_floats() {
  extern __shared__ float launch_shared_memory[];
  return launch_shared_memory;
}

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// Of all threads of the warp, in each of them; the order of the additions is fixed.
template <class Operation>
__device__ inline float over_warp(float x, Operation operation) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    x = operation(x, __shfl_xor_sync(0xffffffffu, x, distance));
  }
  return x;
}

// Of all threads of the block, whose number is a multiple of kWarp, in each of them. `scratch`: [kWarp], shared; free
// again after the next __syncthreads().
template <class Operation>
__device__ inline float over_block(float x, float nothing, float* scratch, Operation operation) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  x = over_warp(x, operation);
  if (lane == 0) scratch[warp] = x;
  __syncthreads();
  return over_warp(lane < warps ? scratch[lane] : nothing, operation);
}

}  // namespace btm::cuda
