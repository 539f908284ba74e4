// The backward pass of a Transformer's blocks.
#pragma once

#include "btm/model/forward.h"

namespace btm {

// Gradients of activations, allocated once.
struct ActivationGradients {
  ActivationGradients(const ModelConfig& config, int rows);
  static std::size_t floats(const ModelConfig& config, int rows);  // of all of them
  Buffer stream;                                                   // [rows, width], of the residual stream
  Buffer narrow;  // [rows, width], of what comes out of a norm or of the attention
  Buffer wide;    // [rows, max(qkv_width, hidden)]
};

// After a forward pass with Keep::all or Keep::inputs over whole sequences of `length` tokens and with d.narrow =
// d(final_normed): adds the gradients of everything but the head to `gradients`. Spoils a.blocks[i].up. `block_done`,
// if any, is called behind each block.
void backward(const Engine& engine, const Weights& weights, Rows rows, int length, const TokenId* tokens, Keep keep,
              Activations& a, ActivationGradients& d, float* gradients, const BlockDone& block_done);

}  // namespace btm
