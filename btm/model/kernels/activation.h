// The non-linear parts of the feed-forward layers, and biases.
#pragma once

#include "btm/model/operands.h"

namespace btm {

// All arrays of operands of a call have the same format.

// before [rows, width] = product + bias [width], which may be the product itself; after = gelu(before), the tanh form
// (Hendrycks & Gimpel 2016, "gelu_new").
void gelu_forward(int rows, int width, const float* product, const float* bias, OperandArray before,
                  OperandArray after);
// d_before may be `before`; d_bias accumulates its column sums. Gives the same `after` again.
void gelu_backward(int rows, int width, OperandView before, const float* d_after, OperandArray d_before, float* d_bias,
                   OperandArray after);

// gate_up [rows, 2, width] = product, which it may be itself; after [rows, width] = silu(gate) x up (Shazeer 2020,
// SwiGLU).
void swiglu_forward(int rows, int width, const float* product, OperandArray gate_up, OperandArray after);
// d_gate_up may be gate_up. Gives the same `after` again.
void swiglu_backward(int rows, int width, OperandView gate_up, const float* d_after, OperandArray d_gate_up,
                     OperandArray after);

// y [rows, width] = product + bias (which may be null); y may be the product. d_bias [width] += column sums of dy.
void bias_forward(int rows, int width, const float* product, const float* bias, OperandArray y);
void bias_backward(int rows, int width, OperandView dy, float* d_bias);

}  // namespace btm
