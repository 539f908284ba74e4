#include "btm/model/backward.h"

#include <algorithm>

#include "btm/core/arena.h"
#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/embedding.h"
#include "btm/model/kernels/rope.h"
#include "btm/model/linear.h"

namespace btm {
namespace {

void lay_out(GradientLayout& d, Arena& arena, const ModelConfig& c, std::size_t rows, Operands operands) {
  d.stream = arena.take<float>(rows * c.width);
  d.narrow = arena.take<float>(rows * c.width);
  d.wide = arena.take<float>(rows * widest(c));
  d.rounded_stream = d.rounded_wide = nullptr;
  if (operands != Operands::bf16) return;
  d.rounded_stream = arena.take<bf16>(rows * c.width);
  d.rounded_wide = arena.take<bf16>(rows * std::max(qkv_width(c), up_width(c)));
}

struct Pass {
  const Engine& engine;
  const Weights& weights;
  Rows rows;
  int length;  // of a sequence
  Activations& a;
  ActivationGradients& d;
  float* gradients;

  // Of the stream, a block's qkv and its `up`, as products read them.
  OperandArray d_stream() const { return or_else(d.rounded_stream, d.stream); }
  OperandArray d_qkv() const { return or_else(d.rounded_wide, d.wide); }
  OperandArray d_up(const BlockActivations& b) const { return or_else(d.rounded_wide, b.up); }

 private:
  static OperandArray or_else(bf16* rounded, OperandArray other) { return rounded ? OperandArray(rounded) : other; }
};

// Through a norm into the stream; `delta_bias` is the bias of the layer whose output the norm added to the stream.
void back_through_norm(const Pass& p, const NormOffsets& at, const float* sum, const float* statistics,
                       std::int64_t delta_bias) {
  norm_backward(p.engine.norm, p.rows.count, sum, p.weights.parameters + at.gain, statistics, p.d.narrow, p.d.stream,
                p.d.rounded_stream, p.gradients + at.gain, find(p.gradients, at.shift), find(p.gradients, delta_bias));
}

void back_through_feed_forward(const Pass& p, int layer) {
  const ModelConfig& c = p.engine.config;
  const BlockOffsets& at = p.engine.offsets.blocks[layer];
  const BlockActivations& b = p.a.blocks[layer];
  const int rows = p.rows.count;
  float* d_activated = p.d.wide;
  const OperandArray d_up = p.d_up(b);
  linear_backward_weight(at.down, p.weights.operands, rows, b.activated, p.d_stream(), p.gradients);
  linear_backward_input(at.down, p.weights, rows, p.d_stream(), d_activated);
  if (c.architecture == Architecture::gpt2) {
    gelu_backward(rows, c.hidden, b.up, d_activated, d_up, p.gradients + at.up.bias);
  } else {
    swiglu_backward(rows, c.hidden, b.up, d_activated, d_up);
  }
  linear_backward_weight(at.up, p.weights.operands, rows, b.mlp_normed, d_up, p.gradients);
  linear_backward_input(at.up, p.weights, rows, d_up, p.d.narrow);
  back_through_norm(p, at.mlp_norm, b.middle, b.mlp_statistics, at.project.bias);
}

void attend_backward(const Pass& p, const BlockActivations& b) {
  const ModelConfig& c = p.engine.config;
  const int wide = qkv_width(c), keys_at = c.width, values_at = c.width + kv_width(c);
  const AttentionShape shape = attention_shape(c, p.length, p.weights.operands);
  for (int first = 0; first < p.rows.count; first += p.length) {
    const OperandView qkv = b.qkv.from(std::size_t(first) * wide);
    const OperandArray d_qkv = p.d_qkv().from(std::size_t(first) * wide);
    const std::size_t narrow = std::size_t(first) * c.width;
    attention_backward(shape, {qkv, wide}, {qkv.from(keys_at), wide}, {qkv.from(values_at), wide},
                       {b.attended.from(narrow), c.width}, b.log_sums + std::size_t(first) * c.heads,
                       {p.d.narrow + narrow, c.width}, {d_qkv, wide}, {d_qkv.from(keys_at), wide},
                       {d_qkv.from(values_at), wide}, p.a.workspace);
  }
}

void back_through_attention(const Pass& p, int layer) {
  const ModelConfig& c = p.engine.config;
  const BlockOffsets& at = p.engine.offsets.blocks[layer];
  const BlockActivations& b = p.a.blocks[layer];
  const int rows = p.rows.count;
  const OperandArray d_qkv = p.d_qkv();
  linear_backward_weight(at.project, p.weights.operands, rows, b.attended, p.d_stream(), p.gradients);
  linear_backward_input(at.project, p.weights, rows, p.d_stream(), p.d.narrow);
  attend_backward(p, b);
  if (p.engine.rope.size() != 0) {
    rope(p.engine.rope, Turn::backward, rows, p.rows.positions, c.heads + c.kv_heads, head_dim(c), d_qkv, qkv_width(c));
  }
  if (at.qkv.bias != kAbsent) bias_backward(rows, at.qkv.out, d_qkv, p.gradients + at.qkv.bias);
  linear_backward_weight(at.qkv, p.weights.operands, rows, b.attention_normed, d_qkv, p.gradients);
  linear_backward_input(at.qkv, p.weights, rows, d_qkv, p.d.narrow);
  const std::int64_t delta_bias = layer == 0 ? kAbsent : p.engine.offsets.blocks[layer - 1].down.bias;
  back_through_norm(p, at.attention_norm, b.input, b.attention_statistics, delta_bias);
}

}  // namespace

ActivationGradients::ActivationGradients(const ModelConfig& config, int rows, Operands operands)
    : storage_(floats(config, rows, operands)) {
  Arena arena(storage_.data(), Buffer::kAlignment);
  lay_out(*this, arena, config, static_cast<std::size_t>(rows), operands);
}

std::size_t ActivationGradients::floats(const ModelConfig& config, int rows, Operands operands) {
  GradientLayout unplaced;
  Arena counting(nullptr, Buffer::kAlignment);
  lay_out(unplaced, counting, config, static_cast<std::size_t>(rows), operands);
  return counting.used() / sizeof(float);
}

void backward(const Engine& engine, const Weights& weights, Rows rows, int length, const TokenId* tokens, Keep keep,
              Activations& a, ActivationGradients& d, float* gradients, const BlockDone& block_done) {
  const Pass pass{engine, weights, rows, length, a, d, gradients};
  const WeightOffsets& at = engine.offsets;
  std::fill_n(d.stream, std::size_t(rows.count) * engine.config.width, 0.0f);
  back_through_norm(pass, at.final_norm, a.final_sum, a.final_statistics, at.blocks.back().down.bias);
  const int last = engine.config.layers - 1;
  for (int layer = last; layer >= 0; --layer) {
    if (keep == Keep::inputs && layer < last) recompute(engine, weights, layer, rows, length, a);
    back_through_feed_forward(pass, layer);
    back_through_attention(pass, layer);
    if (block_done) block_done(layer);
  }
  embedding_backward(rows.count, engine.config.width, tokens, rows.positions, d.stream, gradients + at.tokens,
                     find(gradients, at.positions));
}

}  // namespace btm
