// The forward pass of a Transformer's blocks, shared by training, scoring and generation.
#pragma once

#include "btm/core/token.h"
#include "btm/model/pass.h"

namespace btm {

// tokens [rows] -> the first block's input
void embed(const Engine& engine, const float* parameters, Rows rows, const TokenId* tokens, ActivationLayout& a);

// The parts of block `layer` before and after the attention, which goes from qkv to attended.
void before_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, ActivationLayout& a);
void after_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, ActivationLayout& a);

// The attention of block `layer`, from qkv of all rows to what they attended to.
void attend(const Pass& pass, int layer);

// All activations that block `layer` keeps once more, from its input.
void recompute(const Pass& pass, int layer);

// After the last block: final_normed.
void final_norm(const Engine& engine, const float* parameters, Rows rows, ActivationLayout& a);

}  // namespace btm
