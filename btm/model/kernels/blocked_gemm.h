// Matrix products of our own, for CPUs that MKL treats badly: on AMD's it reaches 60 % of the peak.
#pragma once

#include "btm/model/kernels/gemm.h"

namespace btm {

// c [m, n] = alpha x op(a) [m, k] op(b) [k, n], added to c if `add`. Packs b, and a if it is transposed, into buffers
// of 4 MB that each thread keeps; so it is for many rows (see gemm). The sums are taken in an order that depends on the
// shape and the instruction set alone.
void blocked_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride);

}  // namespace btm
