#include "btm/model/kernels/gemm.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "btm/model/kernels/blocked_products.h"
#include "btm/model/kernels/few_rows.h"
#include "btm/model/kernels/gemm_kernel.h"

namespace btm {
namespace {

// Rows up to which packing b doesn't pay.
constexpr int kFewRows = 8;

float rounded(float x) {
  return float_of(bf16_of(x));
}
float rounded(bf16 x) {
  return float_of(x);
}

// The matrix as it lies in memory, each number rounded to bfloat16.
MatrixView round_copy(int rows, int columns, MatrixView x, std::vector<float>& copy) {
  if (x.op == Op::transposed) std::swap(rows, columns);
  copy.resize(std::size_t(rows) * columns);
  with_numbers(x.data, [&](const auto* from) {
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < columns; ++i)
        copy[std::size_t(r) * columns + i] = rounded(from[std::size_t(r) * x.stride + i]);
    }
  });
  return {copy.data(), columns, x.op};
}

}  // namespace

const GemmKernel* fastest_kernel(Operands operands) {
  static const GemmKernel* const bf16 = amx_bf16_kernel() ? amx_bf16_kernel() : avx512_bf16_kernel();
  static const GemmKernel* const int16 = fused_int16_kernel() ? fused_int16_kernel() : &int16_kernel();
  if (operands == Operands::bf16) return bf16;
  return operands == Operands::int16 ? int16 : &fp32_kernel();
}

bool takes_few_rows(int m, Op a, Operands operands) {
  return operands == Operands::fp32 && m <= kFewRows && a == Op::none;
}

void gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride,
          Operands operands) {
  if (takes_few_rows(m, a.op, operands)) {
    return few_rows_gemm(m, n, k, alpha, a, b, add, c, c_stride);
  }
  if (const GemmKernel* kernel = fastest_kernel(operands)) {
    return kernel->gemm(m, n, k, alpha, a, b, add, c, c_stride);
  }
  thread_local std::vector<float> rounded_a, rounded_b;
  gemm(m, n, k, alpha, round_copy(m, k, a, rounded_a), round_copy(k, n, b, rounded_b), add, c, c_stride);
}

std::size_t gemm_bytes(Operands operands) {
  const std::size_t blocks = std::size_t(kBlockRows + kBlockColumns) * kLargestDepth * sizeof(float);
  return operands == Operands::int16 ? 2 * blocks : blocks;  // attention's are of float32
}

Operands fastest_operands() {
#if defined(__x86_64__)
  // Outside of AMX, Intel's cores multiply pairs of bfloat16 no faster than float32.
  static const bool fast_pairs = amx_bf16_kernel() || (avx512_bf16_kernel() && !__builtin_cpu_is("intel"));
  if (fast_pairs) return Operands::bf16;
#endif
  return Operands::fp32;
}

}  // namespace btm
