// How pairs of numbers are turned, for kernels; see ../kernels/rope.h.
#pragma once

#include "btm/model/cuda/device.cuh"

namespace btm::cuda {

constexpr int kPairs = 4;  // that a thread turns at once; half a head is a multiple of it

struct Pairs {
  Pack<bf16, kPairs> first, second;
};

// `angles` are the cosines of the pairs, with their sines `half` numbers on; direction: 1 or -1.
__device__ inline Pairs turn(const Pairs& x, const float* angles, int half, float direction) {
  const Pack<float, kPairs> cosine = load<kPairs>(angles), sine = load<kPairs>(angles + half);
  Pairs y;
  for (int i = 0; i < kPairs; ++i) {
    const float a = to_float(x.first.v[i]), b = to_float(x.second.v[i]), s = direction * sine.v[i];
    y.first.v[i] = to_bf16(a * cosine.v[i] - b * s);
    y.second.v[i] = to_bf16(b * cosine.v[i] + a * s);
  }
  return y;
}

}  // namespace btm::cuda
