// The non-linear parts of the feed-forward layers, and biases.
#pragma once

namespace btm {

// before [rows, width] += bias [width]; after = gelu(before), the tanh form (Hendrycks & Gimpel 2016, "gelu_new").
void gelu_forward(int rows, int width, const float* bias, float* before, float* after);
// d [rows, width]: in d(after), out d(before); d_bias accumulates its column sums.
void gelu_backward(int rows, int width, const float* before, float* d, float* d_bias);

// gate_up [rows, 2, width]; after [rows, width] = silu(gate) x up (Shazeer 2020, SwiGLU).
void swiglu_forward(int rows, int width, const float* gate_up, float* after);
void swiglu_backward(int rows, int width, const float* gate_up, const float* d_after, float* d_gate_up);

// y [rows, width] += bias; d_bias [width] += column sums of dy.
void bias_forward(int rows, int width, const float* bias, float* y);
void bias_backward(int rows, int width, const float* dy, float* d_bias);

}  // namespace btm
