// Products of few rows, such as those of generation, where packing b would take longer than the product: b is read
// once, as it lies in memory.
#pragma once

#include "btm/model/kernels/gemm.h"

namespace btm {

// As gemm in float32, whatever the CPU; a is not transposed. A row's sums are taken in an order that depends on k and
// on b's op alone: the row is the same beside others.
void few_rows_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride);

}  // namespace btm
