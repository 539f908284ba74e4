// The backward pass of a Transformer's blocks.
#pragma once

#include "btm/model/block_done.h"
#include "btm/model/forward.h"

namespace btm {

struct GradientLayout {
  float* stream;  // [rows, width], of the residual stream
  float* narrow;  // [rows, width], of what comes out of a norm or of the attention
  float* wide;    // [rows, max(qkv_width, hidden)]
  // What products read where they round, else null: they read the stream, `wide` and the block's `up` itself then.
  bf16* rounded_stream;  // [rows, width]
  bf16* rounded_wide;    // [rows, max(qkv_width, up_width)]
};

// Gradients of activations, allocated once.
struct ActivationGradients : GradientLayout {
  ActivationGradients(const ModelConfig& config, int rows, Operands operands);
  static std::size_t floats(const ModelConfig& config, int rows, Operands operands);  // of all of them

 private:
  Buffer storage_;
};

// After a forward pass with Keep::all or Keep::inputs over whole sequences of `length` tokens and with d.narrow =
// d(final_normed): adds the gradients of everything but the head to `gradients`. May spoil a.blocks[i].up.
// `block_done`, if any, is called behind each block.
void backward(const Engine& engine, const Weights& weights, Rows rows, int length, const TokenId* tokens, Keep keep,
              Activations& a, ActivationGradients& d, float* gradients, const BlockDone& block_done);

}  // namespace btm
