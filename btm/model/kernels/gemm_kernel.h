// The ways of multiplying matrices, one for each kind of instructions; gemm.cpp takes one where it is the fastest.
#pragma once

#include <cstddef>

#include "btm/model/kernels/packed_gemm.h"

namespace btm {

// Products in blocks (blocked_products.h). b is packed as it is met, into buffers of 3.2 MB that each thread keeps, or
// was packed before; either gives the same bytes. The sums are taken in an order that depends on the shape alone.
struct GemmKernel {
  std::size_t (*packed_floats)(int k, int n);
  void (*pack)(int k, int n, MatrixView b, float* packed, const Share& share);
  // c [m, n] = alpha x op(a) [m, k] op(b) [k, n], added to c if `add`
  void (*gemm)(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride);
  void (*gemm_packed)(int m, int n, int k, float alpha, MatrixView a, PackedView b, float* c, int c_stride);
};

// By Highway's vectors, the widest of the CPU.
const GemmKernel& fp32_kernel();

// The same of operands rounded to bfloat16, to nearest, ties to even, as they are packed: their products are exact in
// float32.
const GemmKernel& rounded_fp32_kernel();

// Of operands rounded to whole numbers of 13 bits, sign included, with a scale for every 128 along the sum (block
// floating point, in 16 bits as Das et al. 2018, Mixed Precision Training of Convolutional Neural Networks using
// Integer Operations): the products of 128 add up exactly. By Highway's vectors; up to one and a half times the speed
// of float32 where these have 256 bits.
const GemmKernel& int16_kernel();

// The same bytes by AVX512-VNNI or AVX-VNNI, which multiply and add in one instruction. Null where the CPU has neither.
const GemmKernel* fused_int16_kernel();

// Of operands rounded to bfloat16 likewise, pair by pair. Null where the CPU, or the operating system, has not got the
// instructions. AMX asks the system for its registers.
const GemmKernel* avx512_bf16_kernel();
const GemmKernel* amx_bf16_kernel();

// The one that gemm leaves products of these operands to, but for those of few rows in float32 (few_rows.h).
const GemmKernel& fastest_kernel(Operands operands);

}  // namespace btm
