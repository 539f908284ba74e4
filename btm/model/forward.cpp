#include "btm/model/forward.h"

#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/embedding.h"
#include "btm/model/kernels/rope.h"
#include "btm/model/linear.h"

namespace btm {

void embed(const Engine& engine, const float* parameters, Rows rows, const TokenId* tokens, ActivationLayout& a) {
  const WeightOffsets& at = engine.offsets;
  embedding_forward(rows.count, engine.config.width, tokens, rows.positions, parameters + at.tokens,
                    find(parameters, at.positions), a.blocks[0].input);
}

namespace {

// What a norm still has to add up: the stream before a block's last product, and that product.
struct Sum {
  const float *stream, *delta, *delta_bias;
};

// Where a product goes that becomes y.
float* product_for(OperandArray y, const ActivationLayout& a) {
  return y.format() == Operands::fp32 ? y.as<float>() : a.wide;
}

// The block's input = the sum, to qkv.
void sum_to_qkv(const Engine& engine, const Weights& weights, int layer, Rows rows, Sum sum, ActivationLayout& a) {
  const ModelConfig& c = engine.config;
  BlockActivations& b = a.blocks[layer];
  const float* parameters = weights.parameters;
  const BlockOffsets& at = engine.offsets.blocks[layer];
  norm_forward(engine.norm, rows.count, sum.stream, sum.delta, sum.delta_bias, parameters + at.attention_norm.gain,
               find(parameters, at.attention_norm.shift), b.input, b.attention_normed, b.attention_statistics);
  float* product = product_for(b.qkv, a);
  linear_forward(at.qkv, weights, rows.count, b.attention_normed, product);
  bias_forward(rows.count, at.qkv.out, product, find(parameters, at.qkv.bias), b.qkv);
  if (engine.rope.size() != 0) {
    rope(engine.rope, Turn::forward, rows.count, rows.positions, c.heads + c.kv_heads, head_dim(c), b.qkv,
         qkv_width(c));
  }
}

// attended to the product that becomes `up` with the bias
float* attended_to_product(const Engine& engine, const Weights& weights, int layer, Rows rows, ActivationLayout& a) {
  const float* parameters = weights.parameters;
  const BlockOffsets& at = engine.offsets.blocks[layer];
  BlockActivations& b = a.blocks[layer];
  linear_forward(at.project, weights, rows.count, b.attended, a.projected);
  norm_forward(engine.norm, rows.count, b.input, a.projected, find(parameters, at.project.bias),
               parameters + at.mlp_norm.gain, find(parameters, at.mlp_norm.shift), b.middle, b.mlp_normed,
               b.mlp_statistics);
  float* product = product_for(b.up, a);
  linear_forward(at.up, weights, rows.count, b.mlp_normed, product);
  return product;
}

}  // namespace

void before_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, ActivationLayout& a) {
  Sum sum{a.blocks[layer].input, nullptr, nullptr};
  if (layer > 0) {
    sum = {a.blocks[layer - 1].middle, a.projected,
           find(weights.parameters, engine.offsets.blocks[layer - 1].down.bias)};
  }
  sum_to_qkv(engine, weights, layer, rows, sum, a);
}

void after_attention(const Engine& engine, const Weights& weights, int layer, Rows rows, ActivationLayout& a) {
  const ModelConfig& c = engine.config;
  const BlockOffsets& at = engine.offsets.blocks[layer];
  const OperandArray up = a.blocks[layer].up;
  const float* product = attended_to_product(engine, weights, layer, rows, a);
  if (c.architecture == Architecture::gpt2) {
    gelu_forward(rows.count, c.hidden, product, weights.parameters + at.up.bias, up, a.activated);
  } else {
    swiglu_forward(rows.count, c.hidden, product, up, a.activated);
  }
  linear_forward(at.down, weights, rows.count, a.activated, a.projected);
}

void attend(const Pass& p, int layer) {
  const BlockActivations& b = p.all.blocks[layer];
  const int width = p.engine.config.width, wide = qkv_width(p.engine.config);
  p.share.meet();
  for_each_head_range(p, 1, [&](const HeadRange& heads) {
    const OperandView qkv = b.qkv.from(heads.row * wide);
    attention_forward(heads.shape, {qkv.from(heads.q), wide}, {qkv.from(heads.k), wide}, {qkv.from(heads.v), wide},
                      {b.attended.from(heads.row * width + heads.q), width}, b.log_sums + heads.log_sums,
                      p.a.workspace);
  });
  p.share.meet();
}

void recompute(const Pass& p, int layer) {
  sum_to_qkv(p.engine, p.weights, layer, p.rows, {p.a.blocks[layer].input, nullptr, nullptr}, p.a);
  attend(p, layer);
  const LinearOffsets& up = p.engine.offsets.blocks[layer].up;
  const float* product = attended_to_product(p.engine, p.weights, layer, p.rows, p.a);
  bias_forward(p.rows.count, up.out, product, find(p.weights.parameters, up.bias), p.a.blocks[layer].up);
}

void final_norm(const Engine& engine, const float* parameters, Rows rows, ActivationLayout& a) {
  const NormOffsets& at = engine.offsets.final_norm;
  const float* delta_bias = find(parameters, engine.offsets.blocks.back().down.bias);
  norm_forward(engine.norm, rows.count, a.blocks.back().middle, a.projected, delta_bias, parameters + at.gain,
               find(parameters, at.shift), a.final_sum, a.final_normed, a.final_statistics);
}

}  // namespace btm
