#include "btm/model/forward.h"

#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/embedding.h"
#include "btm/model/kernels/rope.h"
#include "btm/model/linear.h"

namespace btm {

Engine::Engine(const ModelConfig& unresolved)
    : config(resolve(unresolved)), offsets(weight_offsets(config)), norm(norm_shape(config)) {
  if (config.architecture == Architecture::llama) {
    rope = rope_table(config.context, head_dim(config), config.rope_theta);
  }
}

void embed(const Engine& engine, const float* parameters, Rows rows, const TokenId* tokens, Activations& a) {
  const WeightOffsets& at = engine.offsets;
  embedding_forward(rows.count, engine.config.width, tokens, rows.positions, parameters + at.tokens,
                    find(parameters, at.positions), a.blocks[0].input);
}

void before_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, Activations& a) {
  const ModelConfig& c = engine.config;
  const float* parameters = weights.parameters;
  const BlockOffsets& at = engine.offsets.blocks[layer];
  BlockActivations& b = a.blocks[layer];
  // From the second block on, the sum with the last block's output is left to this norm.
  const bool first = layer == 0;
  const float* input = first ? b.input : a.blocks[layer - 1].middle;
  const float* delta = first ? nullptr : a.projected;
  const float* delta_bias = first ? nullptr : find(parameters, engine.offsets.blocks[layer - 1].down.bias);
  norm_forward(engine.norm, rows.count, input, delta, delta_bias, parameters + at.attention_norm.gain,
               find(parameters, at.attention_norm.shift), b.input, b.attention_normed, b.attention_statistics);
  linear_forward(at.qkv, weights, rows.count, b.attention_normed, b.qkv);
  if (at.qkv.bias != kAbsent) bias_forward(rows.count, at.qkv.out, parameters + at.qkv.bias, b.qkv);
  if (engine.rope.size() != 0) {
    rope(engine.rope, Turn::forward, rows.count, rows.positions, c.heads + c.kv_heads, head_dim(c), b.qkv,
         qkv_width(c));
  }
}

void after_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, Activations& a) {
  const ModelConfig& c = engine.config;
  const float* parameters = weights.parameters;
  const BlockOffsets& at = engine.offsets.blocks[layer];
  BlockActivations& b = a.blocks[layer];
  linear_forward(at.project, weights, rows.count, b.attended, a.projected);
  norm_forward(engine.norm, rows.count, b.input, a.projected, find(parameters, at.project.bias),
               parameters + at.mlp_norm.gain, find(parameters, at.mlp_norm.shift), b.middle, b.mlp_normed,
               b.mlp_statistics);
  linear_forward(at.up, weights, rows.count, b.mlp_normed, b.up);
  if (c.architecture == Architecture::gpt2) {
    gelu_forward(rows.count, c.hidden, parameters + at.up.bias, b.up, b.activated);
  } else {
    swiglu_forward(rows.count, c.hidden, b.up, b.activated);
  }
  linear_forward(at.down, weights, rows.count, b.activated, a.projected);
}

void final_norm(const Engine& engine, const float* parameters, Rows rows, Activations& a) {
  const NormOffsets& at = engine.offsets.final_norm;
  const float* delta_bias = find(parameters, engine.offsets.blocks.back().down.bias);
  norm_forward(engine.norm, rows.count, a.blocks.back().middle, a.projected, delta_bias, parameters + at.gain,
               find(parameters, at.shift), a.final_sum, a.final_normed, a.final_statistics);
}

}  // namespace btm
