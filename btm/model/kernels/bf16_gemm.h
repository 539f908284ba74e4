// Matrix products of operands rounded to bfloat16, with float32 sums: twice the speed where the CPU multiplies pairs of
// bfloat16 (AVX512-BF16).
#pragma once

#include "btm/model/kernels/gemm.h"

namespace btm {

// As blocked_gemm, with op(a) and op(b) rounded to nearest, ties to even, as they are packed. A CPU without such
// instructions rounds copies and multiplies those in float32: slower than without rounding, the same up to the order of
// the sums.
void bf16_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride);

}  // namespace btm
