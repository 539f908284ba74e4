#include "btm/model/kernels/bf16_gemm.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/model/kernels/bf16_kernel.h"

namespace btm {
namespace {

const Bf16Kernel* fastest_kernel() {
  static const Bf16Kernel* fastest = amx_bf16_kernel() ? amx_bf16_kernel() : avx512_bf16_kernel();
  return fastest;
}

const Bf16Kernel& packing_kernel() {
  if (!fastest_kernel()) throw failure("this CPU has no packed matrices of bfloat16");
  return *fastest_kernel();
}

// The matrix as it lies in memory, each number rounded.
MatrixView round_copy(int rows, int columns, MatrixView x, std::vector<float>& copy) {
  if (x.op == Op::transposed) std::swap(rows, columns);
  copy.resize(std::size_t(rows) * columns);
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < columns; ++i) {
      const float value = x.data[std::size_t(r) * x.stride + i];
      auto bits = std::bit_cast<std::uint32_t>(value);
      bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
      copy[std::size_t(r) * columns + i] = std::isnan(value) ? value : std::bit_cast<float>(bits);
    }
  }
  return {copy.data(), columns, x.op};
}

}  // namespace

bool cpu_multiplies_bf16() {
  return fastest_kernel() != nullptr;
}

void bf16_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride) {
  if (fastest_kernel()) return fastest_kernel()->gemm(m, n, k, alpha, a, b, add, c, c_stride);
  thread_local std::vector<float> rounded_a, rounded_b;
  gemm(m, n, k, alpha, round_copy(m, k, a, rounded_a), round_copy(k, n, b, rounded_b), add ? 1.0f : 0.0f, c, c_stride);
}

std::size_t bf16_packed_floats(int k, int n) {
  return packing_kernel().packed_floats(k, n);
}
void bf16_pack(int k, int n, MatrixView b, float* packed) {
  packing_kernel().pack(k, n, b, packed);
}
void bf16_gemm_packed(int m, int n, int k, MatrixView a, const float* packed, float* c, int c_stride) {
  packing_kernel().gemm_packed(m, n, k, a, packed, c, c_stride);
}

}  // namespace btm
