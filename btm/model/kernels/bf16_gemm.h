// Matrix products of operands rounded to bfloat16, with float32 sums: twice the speed where the CPU multiplies pairs of
// bfloat16 (AVX512-BF16), several times with tiles of them (AMX).
#pragma once

#include <cstddef>

#include "btm/model/kernels/gemm.h"

namespace btm {

bool cpu_multiplies_bf16();  // by instructions of its own

// As blocked_gemm, with op(a) and op(b) rounded to nearest, ties to even, as they are packed. A CPU without such
// instructions rounds copies and multiplies those in float32: slower than without rounding, the same up to the order of
// the sums.
void bf16_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride);

// For a b of several products: packs op(b) [k, n] once into `packed` [bf16_packed_floats(k, n)], whose layout is this
// CPU's own, and multiplies by it: c [m, n] = op(a) op(b), the same bytes as by bf16_gemm. Only where
// cpu_multiplies_bf16(); elsewhere they throw Error(failure).
std::size_t bf16_packed_floats(int k, int n);
void bf16_pack(int k, int n, MatrixView b, float* packed);
void bf16_gemm_packed(int m, int n, int k, MatrixView a, const float* packed, float* c, int c_stride);

}  // namespace btm
