// The BLAS inside LibTorch (MKL on x86), opened at the first product that is left to it: reading LibTorch takes a
// quarter of a second and 100 MB, which most commands, and CPUs whose products are all our own (gemm.h), never need.
#pragma once

#include "btm/model/kernels/gemm.h"

namespace btm {

// As gemm in float32, whatever the CPU; runs on the calling thread alone. Throws Error(input): there is no LibTorch.
void blas_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, float beta, float* c, int c_stride);

}  // namespace btm
