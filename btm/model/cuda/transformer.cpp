#include "btm/model/cuda/transformer.h"

#include <algorithm>

#include "btm/core/arena.h"
#include "btm/core/error.h"
#include "btm/model/cuda/activation.h"
#include "btm/model/cuda/columns.h"
#include "btm/model/cuda/heads.h"
#include "btm/model/cuda/loss.h"
#include "btm/model/cuda/norm.h"
#include "btm/model/cuda/rope.h"
#include "btm/model/engine.h"

namespace btm::cuda {
namespace {

constexpr std::size_t kAlignment = 256;                    // bytes; of every buffer
constexpr std::size_t kLogitBytes = std::size_t{1} << 30;  // of the logits at once
constexpr int kTile = 128;                                 // rows that cuBLAS's kernels take at once

// Rows of the head's passes: as few passes as the logits' memory allows (the gradient of its weights is read and
// written in each), all of about the same size, in whole tiles.
int head_rows(const ModelConfig& c, int rows) {
  const auto row_bytes = static_cast<std::size_t>(padded(c.vocab_size)) * sizeof(bf16);
  const int most = std::max(1, static_cast<int>(kLogitBytes / row_bytes) / kTile) * kTile;
  const int passes = (rows + most - 1) / most, tiles = (rows + passes * kTile - 1) / (passes * kTile);
  return std::min(rows, tiles * kTile);
}

std::size_t partial_floats(const ModelConfig& c) {
  return std::max(column_partial_floats(c.width, kPartKinds), column_partial_floats(widest(c)));
}

// Throws Error(input) for shapes that the kernels don't do.
ModelConfig checked(const ModelConfig& c) {
  auto require = [](bool holds, const char* what, int value) {
    if (!holds) {
      throw input_error("{} is {}: on the GPU it must be a multiple of 8; change it or use the CPU (device: cpu)", what,
                        value);
    }
  };
  require(c.width % 8 == 0, "model.width", c.width);
  require(c.hidden % 8 == 0, "model.hidden", c.hidden);
  require(head_dim(c) % 8 == 0, "model.width / model.heads", head_dim(c));
  if (c.width > kWidestNorm)
    throw input_error("model.width is {}: on the GPU it can be {} at most", c.width, kWidestNorm);
  if (head_dim(c) > 256)
    throw input_error("model.width / model.heads is {}: the GPU's attention takes 256 at most", head_dim(c));
  return c;
}

}  // namespace

Transformer::Buffers Transformer::lay_out(Arena& arena, const ModelConfig& c, int sequences, int length, Use use) {
  const std::size_t rows = static_cast<std::size_t>(sequences) * static_cast<std::size_t>(length), width = c.width;
  Buffers b{};
  for (int layer = 0; layer < c.layers; ++layer) {
    if (layer > 0 && use != Use::training) {
      b.blocks.push_back(b.blocks.front());
      if (use == Use::recomputing) b.blocks.back().input = arena.take<float>(rows * width);
      continue;
    }
    Block& block = b.blocks.emplace_back();
    block.input = arena.take<float>(rows * width);
    block.attention_normed = arena.take<bf16>(rows * width);
    block.attention_statistics = arena.take<float>(rows * 2);
    block.qkv = arena.take<bf16>(rows * qkv_width(c));
    block.attended = arena.take<bf16>(rows * width);
    block.log_sums = arena.take<float>(rows * c.heads);
    block.middle = arena.take<float>(rows * width);
    block.mlp_normed = arena.take<bf16>(rows * width);
    block.mlp_statistics = arena.take<float>(rows * 2);
    block.up = arena.take<bf16>(rows * up_width(c));
    block.activated = arena.take<bf16>(rows * c.hidden);
  }
  b.final_sum = arena.take<float>(rows * width);
  b.final_statistics = arena.take<float>(rows * 2);
  b.final_normed = arena.take<bf16>(rows * width);
  b.projected = arena.take<bf16>(rows * width);
  b.logits = arena.take<bf16>(static_cast<std::size_t>(head_rows(c, static_cast<int>(rows))) * padded(c.vocab_size));
  b.log_probs = arena.take<float>(rows);
  b.rope = arena.take<float>(rope_floats(c, length));
  b.tokens = arena.take<TokenId>(rows);
  b.targets = arena.take<TokenId>(rows);
  if (use == Use::scoring) return b;
  b.d_stream = arena.take<float>(rows * width);
  b.d_rounded = arena.take<bf16>(rows * width);
  b.d_narrow = arena.take<bf16>(rows * width);
  b.d_wide = arena.take<bf16>(rows * widest(c));
  b.partial = arena.take<float>(partial_floats(c));
  b.order = arena.take<int>(rows);
  b.starts = arena.take<int>(rows + 1);
  return b;
}

std::size_t Transformer::bytes(const ModelConfig& config, int sequences, int length, Use use) {
  Arena counting(nullptr, kAlignment);
  lay_out(counting, resolve(config), sequences, length, use);
  return counting.used();
}

Transformer::Transformer(const ModelConfig& config, int sequences, int length, Use use, Products& products)
    : config_(checked(resolve(config))),
      offsets_(weight_offsets(config_)),
      norm_(norm_shape(config_)),
      use_(use),
      products_(products),
      stream_(products.stream()),
      sequences_(sequences),
      length_(length),
      rows_(sequences * length),
      storage_(bytes(config_, sequences, length, use)) {
  Arena arena(storage_.data(), kAlignment);
  b_ = lay_out(arena, config_, sequences, length, use);
  if (const Buffer table = rope_of(config_, length); table.size() > 0) {
    check_cuda(cudaMemcpyAsync(b_.rope, table.data(), table.size() * sizeof(float), cudaMemcpyHostToDevice, stream_),
               "a copy");
    check_cuda(cudaStreamSynchronize(stream_), "a copy");
  }
}

void Transformer::load(const Batch& batch) {
  auto copy = [this](void* to, const void* from, std::size_t bytes) {
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "a copy of the batch");
  };
  const auto rows = static_cast<std::size_t>(rows_);
  copy(b_.tokens, batch.tokens, rows * sizeof(TokenId));
  copy(b_.targets, batch.targets, rows * sizeof(TokenId));
  if (!batch.order) return;
  copy(b_.order, batch.order, rows * sizeof(int));
  copy(b_.starts, batch.starts, (rows + 1) * sizeof(int));
}

void Transformer::forward(const LinearOffsets& l, const Parameters& p, const bf16* x, bf16* y) {
  products_.linear_forward(l, p.rounded, rows_, x, y, l.out);
}
void Transformer::backward_input(const LinearOffsets& l, const Parameters& p, const bf16* dy, bf16* dx) {
  products_.linear_backward_input(l, p.rounded, rows_, dy, l.out, dx);
}
void Transformer::backward_weight(const LinearOffsets& l, const bf16* x, const bf16* dy, float* gradients) {
  products_.linear_backward_weight(l, rows_, x, dy, l.out, gradients);
}

// The stream before block `layer` is `stream` + delta: block.input, then qkv.
void Transformer::to_qkv(const Parameters& p, int layer, const float* stream, const bf16* delta) {
  const BlockOffsets& at = offsets_.blocks[layer];
  const Block& b = b_.blocks[layer];
  norm_forward(stream_, norm_, rows_, stream, delta, p.masters + at.attention_norm.gain,
               find(p.masters, at.attention_norm.shift), b.input, b.attention_normed, b.attention_statistics);
  forward(at.qkv, p, b.attention_normed, b.qkv);
  if (config_.architecture != Architecture::gpt2) {
    rope(stream_, b_.rope, rows_, length_, config_.heads + config_.kv_heads, head_dim(config_), b.qkv,
         qkv_width(config_));
  }
}

// From qkv to `activated`.
void Transformer::attend_and_feed_forward(const Parameters& p, int layer) {
  const BlockOffsets& at = offsets_.blocks[layer];
  const Block& b = b_.blocks[layer];
  products_.attention_forward(attention_shape(config_, length_, Operands::bf16), sequences_, b.qkv, b.attended,
                              b.log_sums);
  forward(at.project, p, b.attended, b_.projected);
  norm_forward(stream_, norm_, rows_, b.input, b_.projected, p.masters + at.mlp_norm.gain,
               find(p.masters, at.mlp_norm.shift), b.middle, b.mlp_normed, b.mlp_statistics);
  forward(at.up, p, b.mlp_normed, b.up);
  if (config_.architecture == Architecture::gpt2) {
    gelu_forward(stream_, rows_, config_.hidden, b.up, b.activated);
  } else {
    swiglu_forward(stream_, rows_, config_.hidden, b.up, b.activated);
  }
}

void Transformer::recompute(const Parameters& p, int layer) {
  to_qkv(p, layer, b_.blocks[layer].input, nullptr);
  attend_and_feed_forward(p, layer);
}

void Transformer::forward(const Parameters& p) {
  embedding_forward(stream_, rows_, length_, config_.width, b_.tokens, p.masters + offsets_.tokens,
                    find(p.masters, offsets_.positions), b_.blocks[0].input);
  for (int layer = 0; layer < config_.layers; ++layer) {
    if (layer == 0) {
      to_qkv(p, layer, b_.blocks[0].input, nullptr);
    } else {
      to_qkv(p, layer, b_.blocks[layer - 1].middle, b_.projected);
    }
    attend_and_feed_forward(p, layer);
    forward(offsets_.blocks[layer].down, p, b_.blocks[layer].activated, b_.projected);
  }
  const NormOffsets& at = offsets_.final_norm;
  norm_forward(stream_, norm_, rows_, b_.blocks.back().middle, b_.projected, p.masters + at.gain,
               find(p.masters, at.shift), b_.final_sum, b_.final_normed, b_.final_statistics);
}

// Log-probabilities; with `gradients`, also d_narrow and the head's gradient.
void Transformer::head(const Parameters& p, float scale, float* gradients) {
  const LinearOffsets& at = offsets_.head;
  const int chunk = head_rows(config_, rows_), vocab = at.out, stride = padded(vocab);
  for (int first = 0; first < rows_; first += chunk) {
    const int count = std::min(chunk, rows_ - first);
    const std::size_t narrow = std::size_t(first) * config_.width;
    products_.linear_forward(at, p.rounded, count, b_.final_normed + narrow, b_.logits, stride);
    if (!gradients) {
      log_probabilities(stream_, count, vocab, b_.logits, b_.targets + first, b_.log_probs + first);
      continue;
    }
    cross_entropy(stream_, count, vocab, b_.logits, b_.targets + first, scale, b_.log_probs + first);
    products_.linear_backward_input(at, p.rounded, count, b_.logits, stride, b_.d_narrow + narrow);
    products_.linear_backward_weight(at, count, b_.final_normed + narrow, b_.logits, stride, gradients);
  }
}

const float* Transformer::score(const Parameters& p) {
  forward(p);
  head(p, 0, nullptr);
  return b_.log_probs;
}

void Transformer::train(const Parameters& p, float scale, float* gradients, double* loss, const BlockDone& block_done) {
  forward(p);
  head(p, scale, gradients);
  subtract_sum(stream_, rows_, b_.log_probs, loss);
  check_cuda(cudaMemsetAsync(b_.d_stream, 0, std::size_t(rows_) * config_.width * sizeof(float), stream_), "to clear");
  back_through_norm(p, offsets_.final_norm, b_.final_sum, b_.final_statistics, offsets_.blocks.back().down.bias,
                    gradients);
  const int last = config_.layers - 1;
  for (int layer = last; layer >= 0; --layer) {
    if (use_ == Use::recomputing && layer < last) recompute(p, layer);
    back_through_feed_forward(p, layer, gradients);
    back_through_attention(p, layer, gradients);
    if (block_done) block_done(layer);
  }
  embedding_backward(stream_, rows_, length_, config_.width, b_.tokens, {b_.order, b_.starts}, b_.d_stream,
                     gradients + offsets_.tokens, find(gradients, offsets_.positions));
}

// d_narrow into the stream; `delta_bias` is the bias of the layer whose output the norm added to the stream.
void Transformer::back_through_norm(const Parameters& p, const NormOffsets& at, const float* sum,
                                    const float* statistics, std::int64_t delta_bias, float* gradients) {
  norm_backward(stream_, norm_, rows_, sum, p.masters + at.gain, statistics, b_.d_narrow, b_.d_stream, b_.d_rounded,
                gradients + at.gain, find(gradients, at.shift), find(gradients, delta_bias), b_.partial);
}

void Transformer::back_through_feed_forward(const Parameters& p, int layer, float* gradients) {
  const BlockOffsets& at = offsets_.blocks[layer];
  const Block& b = b_.blocks[layer];
  bf16* d_up = b_.d_wide;
  backward_weight(at.down, b.activated, b_.d_rounded, gradients);
  backward_input(at.down, p, b_.d_rounded, d_up);
  if (config_.architecture == Architecture::gpt2) {
    gelu_backward(stream_, rows_, config_.hidden, b.up, d_up, gradients + at.up.bias, b_.partial);
  } else {
    swiglu_backward(stream_, rows_, config_.hidden, b.up, d_up, b.up);
    d_up = b.up;
  }
  backward_weight(at.up, b.mlp_normed, d_up, gradients);
  backward_input(at.up, p, d_up, b_.d_narrow);
  back_through_norm(p, at.mlp_norm, b.middle, b.mlp_statistics, at.project.bias, gradients);
}

void Transformer::back_through_attention(const Parameters& p, int layer, float* gradients) {
  const BlockOffsets& at = offsets_.blocks[layer];
  const Block& b = b_.blocks[layer];
  bf16* d_qkv = b_.d_wide;
  backward_weight(at.project, b.attended, b_.d_rounded, gradients);
  backward_input(at.project, p, b_.d_rounded, b_.d_narrow);
  const AttentionShape shape = attention_shape(config_, length_, Operands::bf16);
  products_.attention_backward(shape, sequences_, b.qkv, b.attended, b.log_sums, b_.d_narrow, d_qkv,
                               [&](HeadGradients heads) {
                                 if (config_.architecture != Architecture::gpt2) {
                                   join_turned_heads(stream_, shape, rows_, b_.rope, heads, d_qkv);
                                   heads = heads_within(shape, d_qkv);
                                 }
                                 if (at.qkv.bias == kAbsent) return;
                                 join_heads(stream_, shape, rows_, heads, d_qkv, gradients + at.qkv.bias, b_.partial);
                               });
  backward_weight(at.qkv, b.attention_normed, d_qkv, gradients);
  backward_input(at.qkv, p, d_qkv, b_.d_narrow);
  const std::int64_t delta_bias = layer == 0 ? kAbsent : offsets_.blocks[layer - 1].down.bias;
  back_through_norm(p, at.attention_norm, b.input, b.attention_statistics, delta_bias, gradients);
}

}  // namespace btm::cuda
