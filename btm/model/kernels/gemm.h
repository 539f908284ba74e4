// Matrix products of row-major float32 matrices, by the BLAS inside LibTorch (blas.h) or, where that is slow,
// by our own kernels (gemm_kernel.h), on the thread that calls.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace btm {

enum class Op { none, transposed };

// A matrix as it lies in memory: `stride` floats from row to row.
struct MatrixView {
  const float* data;
  int stride;
  Op op = Op::none;
};

inline MatrixView transposed(const float* data, int stride) {
  return {data, stride, Op::transposed};
}

// The transpose of op(x).
inline MatrixView turned(MatrixView x) {
  x.op = x.op == Op::none ? Op::transposed : Op::none;
  return x;
}

// What the numbers of op(a) and op(b) are rounded to before they are multiplied; sums are float32. bf16 is twice the
// speed where the CPU multiplies pairs of bfloat16 (AVX512-BF16), several times with tiles of them (AMX). Another CPU
// rounds copies and multiplies those in float32: slower than without rounding, the same up to the order of the sums.
enum class Operands { fp32, bf16 };
inline std::array<std::pair<Operands, std::string_view>, 2> names(Operands) {
  return {{{Operands::fp32, "fp32"}, {Operands::bf16, "bf16"}}};
}

// c [m, n] = alpha x op(a) [m, k] op(b) [k, n] + beta x c, beta being 0 or 1. One row (m = 1) runs at the speed of
// memory. Which library does it depends on the CPU, the operands and the shape alone.
void gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, float beta, float* c, int c_stride,
          Operands operands = Operands::fp32);

// Of the library that large products are left to: "MKL" or "btm".
const char* gemm_library(Operands operands);

// What trains fastest: bf16 where the CPU multiplies it at twice the speed of float32.
Operands fastest_operands();

}  // namespace btm
