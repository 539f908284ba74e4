// The ways in which CPUs multiply pairs of bfloat16. bf16_gemm.cpp takes one.
#pragma once

#include <cstddef>

#include "btm/model/kernels/gemm.h"

namespace btm {

// What bf16_gemm.h declares, by one kind of instructions.
struct Bf16Kernel {
  std::size_t (*packed_floats)(int k, int n);
  void (*pack)(int k, int n, MatrixView b, float* packed);
  void (*gemm)(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride);
  void (*gemm_packed)(int m, int n, int k, MatrixView a, const float* packed, float* c, int c_stride);
};

// Null where the CPU, or the operating system, has not got them. AMX asks the system for its registers.
const Bf16Kernel* avx512_bf16_kernel();
const Bf16Kernel* amx_bf16_kernel();

}  // namespace btm
