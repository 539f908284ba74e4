#include "btm/model/linear.h"

#include <algorithm>

#include "btm/model/kernels/packed_gemm.h"
#include "btm/model/narrow_weights.h"
#include "btm/model/packed_weights.h"

namespace btm {

MatrixView linear_view(const LinearOffsets& l, const float* parameters) {
  return {parameters + l.weight, l.op == Op::none ? l.out : l.in, l.op};
}

namespace {

// Packed weights serve the blocked kernels only. The same rows give the same bytes with and without them.
bool multiplies_packed(const Weights& weights, int rows) {
  return weights.packed && !takes_few_rows(rows, Op::none, weights.operands);
}

}  // namespace

void linear_forward(const LinearOffsets& l, const Weights& weights, int rows, OperandView x, float* y) {
  if (weights.narrow) return weights.narrow->at(l.weight).multiply(rows, x.as<float>(), y);
  if (multiplies_packed(weights, rows)) {
    return gemm_packed(rows, l.out, l.in, 1, {x, l.in}, weights.packed->forward(l), y, l.out, weights.operands);
  }
  gemm(rows, l.out, l.in, 1, {x, l.in}, linear_view(l, weights.parameters), false, y, l.out, weights.operands);
}

void linear_backward_input(const LinearOffsets& l, const Weights& weights, int rows, OperandView dy, float* dx) {
  if (multiplies_packed(weights, rows)) {
    return gemm_packed(rows, l.in, l.out, 1, {dy, l.out}, weights.packed->backward(l), dx, l.in, weights.operands);
  }
  gemm(rows, l.in, l.out, 1, {dy, l.out}, transpose(linear_view(l, weights.parameters)), false, dx, l.in,
       weights.operands);
}

namespace {

struct Range {
  int begin, end;
};

// Of the rows or columns of a matrix. Whole vectors and tiles, so that no more than one thread ends within one.
Range share_of(int size, const Share& share) {
  constexpr int kUnit = 32;
  const int units = (size + kUnit - 1) / kUnit;
  return {std::min(share.begin(units) * kUnit, size), std::min(share.end(units) * kUnit, size)};
}

}  // namespace

void linear_backward_weight(const LinearOffsets& l, Operands operands, int rows, OperandView x, OperandView dy,
                            float* gradients, const Share& share) {
  const bool plain = l.op == Op::none;
  const int m = plain ? l.in : l.out, n = plain ? l.out : l.in;  // of w as it is stored
  // The longer side is dealt out: both operands are packed by each thread, the shorter one whole.
  const Range above = m < n ? Range{0, m} : share_of(m, share), across = m < n ? share_of(n, share) : Range{0, n};
  if (above.begin == above.end || across.begin == across.end) return;
  const MatrixView a = part(transposed(plain ? x : dy, m), above.begin, 0);
  const MatrixView b = part({plain ? dy : x, n}, 0, across.begin);
  gemm(above.end - above.begin, across.end - across.begin, rows, 1, a, b, true,
       gradients + l.weight + std::int64_t{above.begin} * n + across.begin, n, operands);
}

}  // namespace btm
