#include "btm/model/kernels/gemm.h"

#include <cstddef>

#include "btm/model/kernels/blocked_products.h"
#include "btm/model/kernels/few_rows.h"
#include "btm/model/kernels/gemm_kernel.h"

namespace btm {
namespace {

// Rows up to which packing b doesn't pay.
constexpr int kFewRows = 8;

// The kernel for bfloat16 that is faster than float32's. Null where there is none: without AMX, Intel's cores take four
// times as long for a vector of pairs as for one of float32 (Emerald Rapids).
const GemmKernel* fast_bf16_kernel() {
#if defined(__x86_64__)
  if (amx_bf16_kernel()) return amx_bf16_kernel();
  if (!__builtin_cpu_is("intel")) return avx512_bf16_kernel();
#endif
  return nullptr;
}

}  // namespace

const GemmKernel& fastest_kernel(Operands operands) {
  static const GemmKernel& bf16 = fast_bf16_kernel() ? *fast_bf16_kernel() : rounded_fp32_kernel();
  static const GemmKernel& int16 = fused_int16_kernel() ? *fused_int16_kernel() : int16_kernel();
  if (operands == Operands::bf16) return bf16;
  return operands == Operands::int16 ? int16 : fp32_kernel();
}

bool takes_few_rows(int m, Op a, Operands operands) {
  return operands == Operands::fp32 && m <= kFewRows && a == Op::none;
}

void gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride,
          Operands operands) {
  if (takes_few_rows(m, a.op, operands)) {
    return few_rows_gemm(m, n, k, alpha, a, b, add, c, c_stride);
  }
  fastest_kernel(operands).gemm(m, n, k, alpha, a, b, add, c, c_stride);
}

std::size_t gemm_bytes(Operands operands) {
  const std::size_t blocks = std::size_t(kBlockRows + kBlockColumns) * kLargestDepth * sizeof(float);
  return operands == Operands::int16 ? 2 * blocks : blocks;  // attention's are of float32
}

Operands fastest_operands() {
  static const Operands fastest = fast_bf16_kernel() ? Operands::bf16 : Operands::fp32;
  return fastest;
}

}  // namespace btm
