#include "btm/model/decoder.h"

#include <algorithm>
#include <vector>

#include "btm/model/forward.h"
#include "btm/model/head.h"
#include "btm/model/kernels/attention.h"

namespace btm {
namespace {

constexpr int kPromptRows = 64;  // tokens of a prompt at a time

std::size_t full_workspace(const ModelConfig& c, int context) {
  return attention_workspace({kPromptRows, context, c.heads, c.kv_heads, head_dim(c)});
}

int most_rows(int sequences) {
  return std::max(kPromptRows, sequences);
}

}  // namespace

struct Decoder::Impl {
  Impl(const Model& model, const NarrowWeights* narrow, int sequences, int tokens)
      : context(room(model.config, tokens)),
        engine(model.config, context),
        weights{model.parameters.data(), narrow},
        lengths(static_cast<std::size_t>(sequences)),
        positions(static_cast<std::size_t>(most_rows(sequences))),
        activations(engine.config, most_rows(sequences), Keep::nothing, Operands::fp32,
                    full_workspace(engine.config, context)),
        head(engine.offsets.head, kPromptRows),
        logits(static_cast<std::size_t>(sequences) * engine.config.vocab_size) {
    for (int layer = 0; layer < engine.config.layers; ++layer) {
      keys.emplace_back(sequences * cache_size());
      values.emplace_back(sequences * cache_size());
    }
  }

  std::size_t cache_size() const { return std::size_t(context) * kv_width(engine.config); }

  // Rows [first, first + rows) of the pass, all of one sequence.
  void attend(int layer, int sequence, int first, int rows) {
    const ModelConfig& c = engine.config;
    const BlockActivations& b = activations.blocks[layer];
    const int wide = qkv_width(c), kv = kv_width(c), past = lengths[sequence];
    float *own_keys = keys[layer].data() + sequence * cache_size(),
          *own_values = values[layer].data() + sequence * cache_size();
    const float* qkv = b.qkv.as<float>() + std::size_t(first) * wide;
    for (int row = 0; row < rows; ++row) {
      const float* new_keys = qkv + std::size_t(row) * wide + c.width;
      const std::size_t at = std::size_t(past + row) * kv;
      std::copy_n(new_keys, kv, own_keys + at);
      std::copy_n(new_keys + kv, kv, own_values + at);
    }
    attention_forward({rows, past, c.heads, c.kv_heads, head_dim(c)}, {qkv, wide}, {own_keys, kv}, {own_values, kv},
                      {b.attended.from(std::size_t(first) * c.width), c.width}, nullptr, activations.workspace);
  }

  // `rows_each` tokens of each of the sequences, laid end to end, up to the last hidden state.
  void run(std::span<const int> sequences, int rows_each, std::span<const TokenId> tokens) {
    const Rows rows{static_cast<int>(tokens.size()), positions.data()};
    for (int row = 0; row < rows.count; ++row) {
      positions[row] = lengths[sequences[row / rows_each]] + row % rows_each;
    }
    embed(engine, weights.parameters, rows, tokens.data(), activations);
    for (int layer = 0; layer < engine.config.layers; ++layer) {
      before_attention(engine, weights, layer, rows, activations);
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        attend(layer, sequences[i], static_cast<int>(i) * rows_each, rows_each);
      }
      after_attention(engine, weights, layer, rows, activations);
    }
    final_norm(engine, weights.parameters, rows, activations);
    for (int sequence : sequences) lengths[sequence] += rows_each;
  }

  float* hidden(std::size_t row) const { return activations.final_normed + row * engine.config.width; }

  void check_room(int sequence, std::size_t tokens) const {
    if (sequence < 0 || sequence >= static_cast<int>(lengths.size())) {
      throw failure("Decoder: sequence {} of {}", sequence, lengths.size());
    }
    if (tokens > std::size_t(context - lengths[sequence])) {
      throw input_error("{} tokens after {} are past the context of {}", tokens, lengths[sequence], context);
    }
  }

  int context;
  Engine engine;
  Weights weights;
  std::vector<int> lengths;    // [sequences]
  std::vector<int> positions;  // [rows of a pass]
  Activations activations;
  Head head;
  std::vector<Buffer> keys, values;  // [layers][sequences, context, kv_width]
  Buffer logits;                     // [sequences, vocab]
};

Decoder::Decoder(const Model& model, int sequences, const NarrowWeights* narrow, int context)
    : impl_(std::make_unique<Impl>(model, narrow, sequences, context)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

std::span<const float> Decoder::append(std::span<const TokenId> tokens, int sequence, std::span<float> log_probs) {
  Impl& m = *impl_;
  const ModelConfig& c = m.engine.config;
  if (tokens.empty()) throw failure("Decoder: no tokens to append");
  if (!log_probs.empty() && log_probs.size() + 1 != tokens.size()) {
    throw failure("Decoder: room for {} log-probabilities of {} tokens", log_probs.size(), tokens.size());
  }
  m.check_room(sequence, tokens.size());
  check_tokens(tokens, m.engine.config.vocab_size, "generation");
  std::size_t rows = 0;
  for (std::size_t first = 0; first < tokens.size(); first += rows) {
    rows = std::min<std::size_t>(kPromptRows, tokens.size() - first);
    m.run(std::span(&sequence, 1), static_cast<int>(rows), tokens.subspan(first, rows));
    if (log_probs.empty()) continue;
    std::size_t scored = std::min(rows, tokens.size() - 1 - first);  // the last token has no successor yet
    m.head.score(m.weights, static_cast<int>(scored), m.hidden(0), tokens.data() + first + 1, log_probs.data() + first);
  }
  linear_forward(m.engine.offsets.head, m.weights, 1, m.hidden(rows - 1), m.logits.data());
  return m.logits.span().first(static_cast<std::size_t>(c.vocab_size));
}

std::span<const float> Decoder::step(std::span<const int> sequences, std::span<const TokenId> tokens) {
  Impl& m = *impl_;
  if (sequences.empty() || sequences.size() != tokens.size() || sequences.size() > m.lengths.size()) {
    throw failure("Decoder: {} tokens for {} of {} sequences", tokens.size(), sequences.size(), m.lengths.size());
  }
  for (int sequence : sequences) m.check_room(sequence, 1);
  check_tokens(tokens, m.engine.config.vocab_size, "generation");
  m.run(sequences, 1, tokens);
  linear_forward(m.engine.offsets.head, m.weights, static_cast<int>(tokens.size()), m.hidden(0), m.logits.data());
  return m.logits.span().first(tokens.size() * static_cast<std::size_t>(m.engine.config.vocab_size));
}

int Decoder::length(int sequence) const {
  return impl_->lengths[static_cast<std::size_t>(sequence)];
}

void Decoder::reset(int sequence) {
  impl_->lengths[static_cast<std::size_t>(sequence)] = 0;
}

int Decoder::room(const ModelConfig& c, std::int64_t wanted) {
  return wanted > 0 ? static_cast<int>(std::min(wanted, std::int64_t{c.context})) : c.context;
}

std::size_t Decoder::bytes(const ModelConfig& unresolved, int sequences, int most) {
  ModelConfig c = resolve(unresolved);
  const int context = room(c, most);
  const auto n = static_cast<std::size_t>(sequences);
  const std::size_t cache = 2 * n * std::size_t(c.layers) * std::size_t(context) * std::size_t(kv_width(c));
  const std::size_t pass =
      activation_floats(c, most_rows(sequences), Keep::nothing, Operands::fp32, full_workspace(c, context)) +
      rope_floats(c, context);
  const std::size_t head = Head::floats(weight_offsets(c).head, kPromptRows) + n * std::size_t(c.vocab_size);
  return (cache + pass + head) * sizeof(float);
}

}  // namespace btm
