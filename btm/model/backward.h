// The backward pass of a Transformer's blocks.
#pragma once

#include "btm/core/token.h"
#include "btm/model/block_done.h"
#include "btm/model/pass.h"
#include "btm/model/vector_gradients.h"

namespace btm {

struct GradientLayout {
  float* stream;  // [rows, width], of the residual stream
  float* narrow;  // [rows, width], of what comes out of a norm or of the attention
  float* wide;    // [rows, max(qkv_width, hidden)], of which products take the first columns as a matrix of their own
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

// After a forward pass with Keep::all or Keep::inputs and with all.narrow = d(final_normed): adds the gradients of
// everything but the head to `gradients`, with all threads' share of it. `all`: of the rows of all; tokens: of those,
// too. `vectors`: where the threads' sums of vectors wait until all are through with a block; null where there is one
// thread. May spoil all.blocks[i].up. `block_done`, if any, is called behind each block.
void backward(const Pass& pass, const TokenId* tokens, Keep keep, const GradientLayout& all, float* gradients,
              VectorGradients* vectors, const BlockDone& block_done);

}  // namespace btm
