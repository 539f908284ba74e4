#include <algorithm>
#include <vector>

#include "btm/model/forward.h"
#include "btm/model/head.h"
#include "btm/model/kernels/attention.h"
#include "btm/model/transformer.h"

namespace btm {
namespace {

constexpr int kPromptRows = 64;  // tokens of a prompt at a time

std::size_t full_workspace(const ModelConfig& c) {
  return attention_workspace({kPromptRows, c.context, c.heads, c.kv_heads, head_dim(c)});
}

}  // namespace

struct Decoder::Impl {
  explicit Impl(const Model& m)
      : model(m),
        engine(m.config),
        activations(engine.config, kPromptRows, Keep::nothing, full_workspace(engine.config)),
        logits(engine.config.vocab_size) {
    const std::size_t cache = std::size_t(engine.config.context) * kv_width(engine.config);
    for (int layer = 0; layer < engine.config.layers; ++layer) {
      keys.emplace_back(cache);
      values.emplace_back(cache);
    }
  }

  void attend(int layer, int rows) {
    const ModelConfig& c = engine.config;
    const BlockActivations& b = activations.blocks[layer];
    const int wide = qkv_width(c), kv = kv_width(c);
    for (int row = 0; row < rows; ++row) {
      const float* new_keys = b.qkv + std::size_t(row) * wide + c.width;
      const std::size_t at = std::size_t(length + row) * kv;
      std::copy_n(new_keys, kv, keys[layer].data() + at);
      std::copy_n(new_keys + kv, kv, values[layer].data() + at);
    }
    attention_forward({rows, length, c.heads, c.kv_heads, head_dim(c)}, {b.qkv, wide}, {keys[layer].data(), kv},
                      {values[layer].data(), kv}, {b.attended, c.width}, nullptr, activations.workspace);
  }

  void run(std::span<const TokenId> tokens) {
    const float* parameters = model.parameters.data();
    const Rows rows{static_cast<int>(tokens.size()), static_cast<int>(tokens.size()), length};
    embed(engine, parameters, rows, tokens.data(), activations);
    for (int layer = 0; layer < engine.config.layers; ++layer) {
      before_attention(engine, parameters, layer, rows, activations);
      attend(layer, rows.count);
      after_attention(engine, parameters, layer, rows, activations);
    }
    final_norm(engine, parameters, rows, activations);
    length += rows.count;
    last = rows.count - 1;
  }

  const Model& model;
  Engine engine;
  int length = 0;
  int last = 0;  // row of the newest token in the last run
  Activations activations;
  std::vector<Buffer> keys, values;  // [layers][context, kv_width]
  Buffer logits;                     // [vocab]
};

Decoder::Decoder(const Model& model) : impl_(std::make_unique<Impl>(model)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

std::span<const float> Decoder::append(std::span<const TokenId> tokens) {
  Impl& m = *impl_;
  const ModelConfig& c = m.engine.config;
  if (tokens.empty()) throw failure("Decoder: no tokens to append");
  if (tokens.size() > std::size_t(c.context - m.length)) {
    throw input_error("{} tokens after {} are past the model's context of {}", tokens.size(), m.length, c.context);
  }
  for (TokenId token : tokens) {
    if (token < 0 || token >= c.vocab_size) {
      throw input_error("token {} is not in the model's vocabulary of {}", token, c.vocab_size);
    }
  }
  SerialBlas serial;
  for (std::size_t first = 0; first < tokens.size(); first += kPromptRows) {
    m.run(tokens.subspan(first, std::min<std::size_t>(kPromptRows, tokens.size() - first)));
  }
  head_logits({c.width, c.vocab_size}, m.model.parameters.data() + m.engine.offsets.head, 1,
              m.activations.final_normed + std::size_t(m.last) * c.width, m.logits.data());
  return m.logits.span();
}

int Decoder::length() const {
  return impl_->length;
}
void Decoder::reset() {
  impl_->length = 0;
}

}  // namespace btm
