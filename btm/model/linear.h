// A linear layer's three products.
#pragma once

#include "btm/model/narrow_weights.h"
#include "btm/model/weights.h"

namespace btm {

// w [in, out] as it lies in the parameters
MatrixView linear_view(const LinearOffsets& l, const float* parameters);

// y [rows, out] = x [rows, in] w; the bias is left to what follows.
void linear_forward(const LinearOffsets& l, const Weights& weights, int rows, OperandView x, float* y);
// dx [rows, in] = dy [rows, out] w^T
void linear_backward_input(const LinearOffsets& l, const Weights& weights, int rows, OperandView dy, float* dx);
// dw += x^T dy
void linear_backward_weight(const LinearOffsets& l, Operands operands, int rows, OperandView x, OperandView dy,
                            float* gradients);

}  // namespace btm
