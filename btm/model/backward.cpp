#include "btm/model/backward.h"

#include <algorithm>

#include "btm/core/arena.h"
#include "btm/model/forward.h"
#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/embedding.h"
#include "btm/model/kernels/rope.h"

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

// A pass and what its backward pass adds to it.
struct Backward {
  const Pass& p;
  const GradientLayout &all, &d;  // of the rows of all, and of the pass's own
  float* gradients;

  // Of the stream and of a block's `up`, as products read them.
  OperandArray d_stream() const { return or_else(d.rounded_stream, d.stream); }
  OperandArray d_up(const BlockActivations& b) const { return or_else(d.rounded_wide, b.up); }
  // Of qkv, from row `first` of all on. It takes the place of the other gradients of such rows.
  OperandArray d_qkv(std::size_t first) const {
    return or_else(all.rounded_wide, all.wide).from(first * qkv_width(p.engine.config));
  }

 private:
  static OperandArray or_else(bf16* rounded, OperandArray other) { return rounded ? OperandArray(rounded) : other; }
};

// Through a norm into the stream; `delta_bias` is the bias of the layer whose output the norm added to the stream.
void back_through_norm(const Backward& b, const NormOffsets& at, const float* sum, const float* statistics,
                       std::int64_t delta_bias) {
  norm_backward(b.p.engine.norm, b.p.rows.count, sum, b.p.weights.parameters + at.gain, statistics, b.d.narrow,
                b.d.stream, b.d.rounded_stream, b.gradients + at.gain, find(b.gradients, at.shift),
                find(b.gradients, delta_bias));
}

void back_through_feed_forward(const Backward& back, int layer) {
  const Pass& p = back.p;
  const ModelConfig& c = p.engine.config;
  const BlockOffsets& at = p.engine.offsets.blocks[layer];
  const BlockActivations& b = p.a.blocks[layer];
  const int rows = p.rows.count;
  float* d_activated = back.d.wide;
  const OperandArray d_up = back.d_up(b);
  linear_backward_weight(at.down, p.weights.operands, rows, b.activated, back.d_stream(), back.gradients);
  linear_backward_input(at.down, p.weights, rows, back.d_stream(), d_activated);
  if (c.architecture == Architecture::gpt2) {
    gelu_backward(rows, c.hidden, b.up, d_activated, d_up, back.gradients + at.up.bias);
  } else {
    swiglu_backward(rows, c.hidden, b.up, d_activated, d_up);
  }
  linear_backward_weight(at.up, p.weights.operands, rows, b.mlp_normed, d_up, back.gradients);
  linear_backward_input(at.up, p.weights, rows, d_up, back.d.narrow);
  back_through_norm(back, at.mlp_norm, b.middle, b.mlp_statistics, at.project.bias);
}

void attend_backward(const Backward& back, int layer) {
  const Pass& p = back.p;
  const BlockActivations& b = p.all.blocks[layer];
  const int width = p.engine.config.width, wide = qkv_width(p.engine.config);
  p.share.meet();
  const int served = p.engine.config.heads / p.engine.config.kv_heads;
  for_each_head_range(p, served, [&](const HeadRange& heads) {  // the gradients of keys and values are sums over them
    const OperandView qkv = b.qkv.from(heads.row * wide);
    const OperandArray d_qkv = back.d_qkv(heads.row);
    const std::size_t narrow = heads.row * width + heads.q;
    attention_backward(heads.shape, {qkv.from(heads.q), wide}, {qkv.from(heads.k), wide}, {qkv.from(heads.v), wide},
                       {b.attended.from(narrow), width}, b.log_sums + heads.log_sums, {back.all.narrow + narrow, width},
                       {d_qkv.from(heads.q), wide}, {d_qkv.from(heads.k), wide}, {d_qkv.from(heads.v), wide},
                       p.a.workspace);
  });
  p.share.meet();
}

void back_through_attention(const Backward& back, int layer) {
  const Pass& p = back.p;
  const ModelConfig& c = p.engine.config;
  const BlockOffsets& at = p.engine.offsets.blocks[layer];
  const BlockActivations& b = p.a.blocks[layer];
  const int rows = p.rows.count;
  const OperandArray d_qkv = back.d_qkv(static_cast<std::size_t>(p.first));
  linear_backward_weight(at.project, p.weights.operands, rows, b.attended, back.d_stream(), back.gradients);
  linear_backward_input(at.project, p.weights, rows, back.d_stream(), back.d.narrow);
  attend_backward(back, layer);
  if (p.engine.rope.size() != 0) {
    rope(p.engine.rope, Turn::backward, rows, p.rows.positions, c.heads + c.kv_heads, head_dim(c), d_qkv, qkv_width(c));
  }
  if (at.qkv.bias != kAbsent) bias_backward(rows, at.qkv.out, d_qkv, back.gradients + at.qkv.bias);
  linear_backward_weight(at.qkv, p.weights.operands, rows, b.attention_normed, d_qkv, back.gradients);
  linear_backward_input(at.qkv, p.weights, rows, d_qkv, back.d.narrow);
  p.share.meet();  // the rows of d_qkv are other places of `wide` than those of what takes its place now
  const std::int64_t delta_bias = layer == 0 ? kAbsent : p.engine.offsets.blocks[layer - 1].down.bias;
  back_through_norm(back, at.attention_norm, b.input, b.attention_statistics, delta_bias);
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

GradientLayout rows_of(const GradientLayout& all, const ModelConfig& c, int first_row) {
  const auto first = static_cast<std::size_t>(first_row);
  GradientLayout part = all;
  part.stream += first * c.width;
  part.narrow += first * c.width;
  part.wide += first * widest(c);
  if (!all.rounded_stream) return part;
  part.rounded_stream += first * c.width;
  part.rounded_wide += first * std::max(qkv_width(c), up_width(c));
  return part;
}

void backward(const Pass& p, const TokenId* tokens, Keep keep, const GradientLayout& all, const GradientLayout& d,
              float* gradients, const BlockDone& block_done) {
  const ModelConfig& c = p.engine.config;
  const Backward back{p, all, d, gradients};
  const WeightOffsets& at = p.engine.offsets;
  std::fill_n(back.d.stream, std::size_t(p.rows.count) * c.width, 0.0f);
  back_through_norm(back, at.final_norm, p.a.final_sum, p.a.final_statistics, at.blocks.back().down.bias);
  const int last = c.layers - 1;
  for (int layer = last; layer >= 0; --layer) {
    if (keep == Keep::inputs && layer < last) recompute(p, layer);
    back_through_feed_forward(back, layer);
    back_through_attention(back, layer);
    if (block_done) block_done(layer);
  }
  embedding_backward(p.rows.count, c.width, tokens, p.rows.positions, back.d.stream, gradients + at.tokens,
                     find(gradients, at.positions));
}

}  // namespace btm
