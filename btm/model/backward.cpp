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
  const GradientLayout& all;        // of the rows of all
  float* gradients;                 // of matrices, which all threads add to
  float* vectors;                   // of vectors, which the thread adds to
  const WeightOffsets& vectors_at;  // where those lie

  // As products read them, of the rows of all: of the stream, of a block's `up` and of qkv. A row of the last lies
  // where other rows of what else is in `wide` or rounded_wide do.
  OperandArray all_d_stream() const { return or_else(all.rounded_stream, all.stream); }
  OperandArray all_d_up(int layer) const { return or_else(all.rounded_wide, p.all.blocks[layer].up); }
  OperandArray all_d_qkv() const { return or_else(all.rounded_wide, all.wide); }
  // Of the pass's own.
  float* stream() const { return own(all.stream, p.engine.config.width); }
  float* narrow() const { return own(all.narrow, p.engine.config.width); }
  float* wide() const { return own(all.wide, widest(p.engine.config)); }
  bf16* rounded_stream() const { return all.rounded_stream ? own(all.rounded_stream, p.engine.config.width) : nullptr; }
  OperandArray d_stream() const { return own(all_d_stream(), p.engine.config.width); }
  OperandArray d_up(int layer) const { return own(all_d_up(layer), up_width(p.engine.config)); }
  OperandArray d_qkv() const { return own(all_d_qkv(), qkv_width(p.engine.config)); }

  // Adds the thread's share of a matrix's gradient; x and dy are of the rows of all.
  void add_weight(const LinearOffsets& at, OperandView x, OperandView dy) const {
    linear_backward_weight(at, p.weights.operands, p.all_rows.count, x, dy, gradients, p.share);
  }

 private:
  static OperandArray or_else(bf16* rounded, OperandArray other) { return rounded ? OperandArray(rounded) : other; }
  template <class Number>
  Number* own(Number* x, int width) const {
    return x + std::size_t(p.first) * width;
  }
  OperandArray own(OperandArray x, int width) const { return x.from(std::size_t(p.first) * width); }
};

// Through a norm into the stream. Among the vectors its gradients lie at d_at, and at d_delta_bias that of the bias of
// the layer whose output the norm added to the stream.
void back_through_norm(const Backward& b, std::int64_t gain, const NormOffsets& d_at, const float* sum,
                       const float* statistics, std::int64_t d_delta_bias) {
  norm_backward(b.p.engine.norm, b.p.rows.count, sum, b.p.weights.parameters + gain, statistics, b.narrow(), b.stream(),
                b.rounded_stream(), b.vectors + d_at.gain, find(b.vectors, d_at.shift), find(b.vectors, d_delta_bias));
}

void back_through_feed_forward(const Backward& back, int layer) {
  const Pass& p = back.p;
  const ModelConfig& c = p.engine.config;
  const BlockOffsets &at = p.engine.offsets.blocks[layer], &d_at = back.vectors_at.blocks[layer];
  const BlockActivations &b = p.a.blocks[layer], &all = p.all.blocks[layer];
  const int rows = p.rows.count;
  float* d_activated = back.wide();
  const OperandArray d_up = back.d_up(layer);
  linear_backward_input(at.down, p.weights, rows, back.d_stream(), d_activated);
  if (c.architecture == Architecture::gpt2) {
    gelu_backward(rows, c.hidden, b.up, d_activated, d_up, back.vectors + d_at.up.bias, p.a.activated);
  } else {
    swiglu_backward(rows, c.hidden, b.up, d_activated, d_up, p.a.activated);
  }
  p.share.meet();  // all of d_stream, activated and d_up is there
  back.add_weight(at.down, p.all.activated, back.all_d_stream());
  back.add_weight(at.up, all.mlp_normed, back.all_d_up(layer));
  linear_backward_input(at.up, p.weights, rows, d_up, back.narrow());
  p.share.meet();  // d_stream is no longer read
  back_through_norm(back, at.mlp_norm.gain, d_at.mlp_norm, b.middle, b.mlp_statistics, d_at.project.bias);
}

void attend_backward(const Backward& back, int layer) {
  const Pass& p = back.p;
  const ModelConfig& c = p.engine.config;
  const BlockActivations& b = p.all.blocks[layer];
  const int width = c.width, wide = qkv_width(c);
  // The gradients of keys and values are sums over the heads of queries that they serve.
  for_each_head_range(p, c.heads / c.kv_heads, [&](const HeadRange& heads) {
    const OperandView qkv = b.qkv.from(heads.row * wide);
    const OperandArray d_qkv = back.all_d_qkv().from(heads.row * wide);
    const std::size_t narrow = heads.row * width + heads.q;
    attention_backward(heads.shape, {qkv.from(heads.q), wide}, {qkv.from(heads.k), wide}, {qkv.from(heads.v), wide},
                       {b.attended.from(narrow), width}, b.log_sums + heads.log_sums, {back.all.narrow + narrow, width},
                       {d_qkv.from(heads.q), wide}, {d_qkv.from(heads.k), wide}, {d_qkv.from(heads.v), wide},
                       p.a.workspace);
    if (p.engine.rope.size() == 0) return;
    const auto turn = [&](int first, int count) {
      rope(p.engine.rope, Turn::backward, p.length, p.all_rows.positions, count, head_dim(c), d_qkv.from(first), wide);
    };
    turn(heads.q, heads.shape.heads);
    turn(heads.k, heads.shape.kv_heads);
  });
}

void back_through_attention(const Backward& back, int layer) {
  const Pass& p = back.p;
  const BlockOffsets &at = p.engine.offsets.blocks[layer], &d_at = back.vectors_at.blocks[layer];
  const BlockActivations &b = p.a.blocks[layer], &all = p.all.blocks[layer];
  const int rows = p.rows.count;
  p.share.meet();  // all of d_stream is there
  back.add_weight(at.project, all.attended, back.all_d_stream());
  linear_backward_input(at.project, p.weights, rows, back.d_stream(), back.narrow());
  p.share.meet();  // all of d.narrow is there, and d_up is no longer read
  attend_backward(back, layer);
  p.share.meet();  // all of d_qkv is there
  if (at.qkv.bias != kAbsent) bias_backward(rows, at.qkv.out, back.d_qkv(), back.vectors + d_at.qkv.bias);
  back.add_weight(at.qkv, all.attention_normed, back.all_d_qkv());
  linear_backward_input(at.qkv, p.weights, rows, back.d_qkv(), back.narrow());
  const std::int64_t delta_bias = layer == 0 ? kAbsent : back.vectors_at.blocks[layer - 1].down.bias;
  back_through_norm(back, at.attention_norm.gain, d_at.attention_norm, b.input, b.attention_statistics, delta_bias);
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

void backward(const Pass& p, const TokenId* tokens, Keep keep, const GradientLayout& all, float* gradients,
              VectorGradients* vectors, const BlockDone& block_done) {
  const ModelConfig& c = p.engine.config;
  const WeightOffsets& at = p.engine.offsets;
  const Backward back{p, all, gradients, vectors ? vectors->of(p.share.member) : gradients,
                      vectors ? vectors->offsets() : at};
  const auto through = [&](int layer) {
    if (vectors) vectors->add(layer, at, gradients, p.share);
    if (block_done) block_done(layer);
  };
  std::fill_n(back.stream(), std::size_t(p.rows.count) * c.width, 0.0f);
  back_through_norm(back, at.final_norm.gain, back.vectors_at.final_norm, p.a.final_sum, p.a.final_statistics,
                    back.vectors_at.blocks.back().down.bias);
  const int last = c.layers - 1;
  for (int layer = last; layer >= 0; --layer) {
    p.share.meet();  // no one is in the block behind this one
    if (layer < last) through(layer + 1);
    if (keep == Keep::inputs && layer < last) recompute(p, layer);
    back_through_feed_forward(back, layer);
    back_through_attention(back, layer);
  }
  p.share.meet();
  through(0);
  embedding_backward(p.all_rows.count, c.width, p.share.begin(c.width), p.share.end(c.width), tokens,
                     p.all_rows.positions, all.stream, gradients + at.tokens, find(gradients, at.positions));
}

}  // namespace btm
