// Rotary positions (Su et al. 2021, RoFormer) in the layout of transformers' Llama: element i of a head turns with
// element i + head_dim / 2.
#pragma once

#include "btm/core/buffer.h"
#include "btm/model/operands.h"
#include "btm/model/rope_scaling.h"

namespace btm {

// cos and sin of position x frequency: [context, 2, head_dim / 2]
Buffer rope_table(int context, int head_dim, double theta, const RopeScaling& scaling = {});

enum class Turn { forward, backward };  // the backward pass turns gradients the other way

// Turns `heads` heads, side by side at the start of each row of x [rows, stride]; row r is at positions[r].
void rope(const Buffer& table, Turn turn, int rows, const int* positions, int heads, int head_dim, OperandArray x,
          int stride);

}  // namespace btm
