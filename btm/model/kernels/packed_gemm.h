// Products of several matrices with the same b, which is packed once.
#pragma once

#include <cstddef>

#include "btm/core/share.h"
#include "btm/model/kernels/gemm.h"

namespace btm {

// An op(b) [k, n] packed into `data`, whose layout is this CPU's own.
struct PackedView {
  const float* data;
  int k, n;
};

// pack does that share of it. gemm_packed: c [m, n] = alpha x op(a) op(b), the same bytes as by gemm (of many rows)
// with the first k rows and n columns of op(b); for int16, whose scales are those of all of op(b)'s rows, k is all of
// them.
std::size_t packed_floats(int k, int n, Operands operands);
void pack(int k, int n, MatrixView b, float* packed, Operands operands, const Share& share = {});
void gemm_packed(int m, int n, int k, float alpha, MatrixView a, PackedView b, float* c, int c_stride,
                 Operands operands);

}  // namespace btm
