#include "btm/model/linear.h"

namespace btm {

void linear_forward(const LinearOffsets& l, const float* parameters, int rows, const float* x, float* y) {
  const bool stored_in_out = l.op == Op::none;
  const MatrixView weight{parameters + l.weight, stored_in_out ? l.out : l.in, l.op};
  gemm(rows, l.out, l.in, 1, {x, l.in}, weight, 0, y, l.out);
}

void linear_backward_input(const LinearOffsets& l, const float* parameters, int rows, const float* dy, float* dx) {
  const bool stored_in_out = l.op == Op::none;
  const MatrixView weight{parameters + l.weight, stored_in_out ? l.out : l.in,
                          stored_in_out ? Op::transposed : Op::none};
  gemm(rows, l.in, l.out, 1, {dy, l.out}, weight, 0, dx, l.in);
}

void linear_backward_weight(const LinearOffsets& l, int rows, const float* x, const float* dy, float* gradients) {
  if (l.op == Op::none) {
    gemm(l.in, l.out, rows, 1, transposed(x, l.in), {dy, l.out}, 1, gradients + l.weight, l.out);
  } else {
    gemm(l.out, l.in, rows, 1, transposed(dy, l.out), {x, l.in}, 1, gradients + l.weight, l.in);
  }
}

}  // namespace btm
