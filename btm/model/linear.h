// A linear layer's three products.
#pragma once

#include "btm/core/share.h"
#include "btm/model/weight_offsets.h"

namespace btm {

class NarrowWeights;
class PackedWeights;

// What a pass multiplies by.
struct Weights {
  const float* parameters;
  const NarrowWeights* narrow = nullptr;  // in place of the matrices in `parameters`; forward alone
  Operands operands = Operands::fp32;     // of the products with the matrices in `parameters`
  const PackedWeights* packed = nullptr;  // the same matrices, packed for these operands
};

// w [in, out] as it lies in the parameters
MatrixView linear_view(const LinearOffsets& l, const float* parameters);

// y [rows, out] = x [rows, in] w; the bias is left to what follows.
void linear_forward(const LinearOffsets& l, const Weights& weights, int rows, OperandView x, float* y);
// dx [rows, in] = dy [rows, out] w^T
void linear_backward_input(const LinearOffsets& l, const Weights& weights, int rows, OperandView dy, float* dx);
// dw += x^T dy, or of several threads, each with the same rows: the part of it that is its share
void linear_backward_weight(const LinearOffsets& l, Operands operands, int rows, OperandView x, OperandView dy,
                            float* gradients, const Share& share = {});

}  // namespace btm
