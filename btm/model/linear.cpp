#include "btm/model/linear.h"

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

void linear_backward_weight(const LinearOffsets& l, Operands operands, int rows, OperandView x, OperandView dy,
                            float* gradients) {
  if (l.op == Op::none) {
    gemm(l.in, l.out, rows, 1, transposed(x, l.in), {dy, l.out}, true, gradients + l.weight, l.out, operands);
  } else {
    gemm(l.out, l.in, rows, 1, transposed(dy, l.out), {x, l.in}, true, gradients + l.weight, l.in, operands);
  }
}

}  // namespace btm
