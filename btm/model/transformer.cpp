#include "btm/model/transformer.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "btm/model/backward.h"
#include "btm/model/head.h"

namespace btm {
namespace {

// A batch goes through in passes of about so many rows: enough for long products, few enough for the activations of
// small models to stay in the caches.
constexpr int kPassRows = 1024;

int pass_sequences(int sequences, int length) {
  return std::clamp(kPassRows / length, 1, sequences);
}

void check_extent(const ModelConfig& config, int sequences, int length) {
  if (sequences < 1 || length < 1 || length > config.context) {
    throw failure("Transformer: {} sequences of {} tokens do not fit a context of {}", sequences, length,
                  config.context);
  }
}

Keep kept_for(Transformer::Use use) {
  switch (use) {
    case Transformer::Use::training:
      return Keep::all;
    case Transformer::Use::recomputing:
      return Keep::inputs;
    case Transformer::Use::scoring:
      break;
  }
  return Keep::nothing;
}

}  // namespace

struct Transformer::Impl {
  Impl(const ModelConfig& config, int sequences_at_once, int tokens, Use use, Operands rounded)
      : engine(config),
        sequences(sequences_at_once),
        length(tokens),
        pass(pass_sequences(sequences, length) * length),
        keep(kept_for(use)),
        operands(rounded),
        activations(engine.config, pass, keep, operands,
                    attention_workspace(attention_shape(engine.config, length, operands))),
        head(engine.offsets.head, pass),
        log_probs(pass) {
    for (int row = 0; row < pass; ++row) positions.push_back(row % length);
    if (keep != Keep::nothing) gradients.emplace(engine.config, pass, operands);
  }

  void check(std::span<const TokenId> tokens, std::span<const TokenId> targets) const {
    if (tokens.size() % length != 0 || tokens.size() > std::size_t(sequences) * length) {
      throw failure("Transformer: {} tokens are not up to {} sequences of {}", tokens.size(), sequences, length);
    }
    if (!targets.empty() && targets.size() != tokens.size()) {
      throw failure("Transformer: {} targets for {} tokens", targets.size(), tokens.size());
    }
    const TokenId vocab = engine.config.vocab_size;
    check_tokens(tokens, vocab, "a batch");
    for (TokenId token : targets) {
      if (token < kNoToken || token >= vocab) {
        throw input_error("target {} is not in the model's vocabulary of {}", token, vocab);
      }
    }
  }

  Weights weights(const float* parameters) const { return {parameters, nullptr, operands, packed}; }

  // Calls body(rows, first) for pieces of the batch, after their forward pass.
  template <class Body>
  void for_each_pass(const float* parameters, std::span<const TokenId> tokens, Body&& body) {
    for (std::size_t first = 0; first < tokens.size(); first += pass) {
      const Rows rows{static_cast<int>(std::min<std::size_t>(pass, tokens.size() - first)), positions.data()};
      forward(parameters, rows, tokens.data() + first);
      body(rows, first);
    }
  }

  void forward(const float* parameters, Rows rows, const TokenId* tokens) {
    const Weights w = weights(parameters);
    embed(engine, parameters, rows, tokens, activations);
    for (int layer = 0; layer < engine.config.layers; ++layer) {
      before_attention(engine, w, layer, rows, activations);
      attend(engine, operands, layer, rows, length, activations);
      after_attention(engine, w, layer, rows, activations);
    }
    final_norm(engine, parameters, rows, activations);
  }

  Engine engine;
  int sequences, length;
  int pass;  // rows
  Keep keep;
  Operands operands;
  const PackedWeights* packed = nullptr;
  std::vector<int> positions;  // [pass]
  Activations activations;
  std::optional<ActivationGradients> gradients;
  Head head;
  Buffer log_probs;  // [pass]
};

Transformer::Transformer(const ModelConfig& config, int sequences, int length, Use use, Operands operands) {
  check_extent(config, sequences, length);
  impl_ = std::make_unique<Impl>(config, sequences, length, use, operands);
}
Transformer::~Transformer() = default;
Transformer::Transformer(Transformer&&) noexcept = default;

std::size_t Transformer::bytes(const ModelConfig& config, int sequences, int length, Use use, Operands operands) {
  const ModelConfig c = resolve(config);
  const int rows = pass_sequences(sequences, length) * length;
  const std::size_t workspace = attention_workspace(attention_shape(c, length, operands));
  std::size_t floats = activation_floats(c, rows, kept_for(use), operands, workspace) +
                       Head::floats(weight_offsets(c).head, rows) + std::size_t(rows);
  if (use != Use::scoring) floats += ActivationGradients::floats(c, rows, operands);
  return (floats + rope_floats(c)) * sizeof(float);
}

void Transformer::use(const WeightOffsets& offsets) {
  impl_->engine.offsets = offsets;
}

void Transformer::use(const PackedWeights* packed) {
  impl_->packed = packed;
}

double Transformer::train(const float* parameters, std::span<const TokenId> tokens, std::span<const TokenId> targets,
                          float scale, float* gradients, const BlockDone& block_done) {
  Impl& m = *impl_;
  if (!m.gradients) throw failure("Transformer: made for scoring, asked to train");
  if (targets.size() != tokens.size())
    throw failure("Transformer: {} targets for {} tokens", targets.size(), tokens.size());
  m.check(tokens, targets);
  const Weights weights = m.weights(parameters);
  double loss = 0;
  m.for_each_pass(parameters, tokens, [&](Rows rows, std::size_t first) {
    m.head.train(weights, rows.count, m.activations.final_normed, targets.data() + first, scale, m.log_probs.data(),
                 m.gradients->narrow, gradients);
    const bool last = first + static_cast<std::size_t>(rows.count) == tokens.size();
    backward(m.engine, weights, rows, m.length, tokens.data() + first, m.keep, m.activations, *m.gradients, gradients,
             last ? block_done : nullptr);
    for (int row = 0; row < rows.count; ++row) loss -= m.log_probs.data()[row];
  });
  return loss;
}

void Transformer::score(const float* parameters, std::span<const TokenId> tokens, std::span<const TokenId> targets,
                        std::span<float> log_probs) {
  Impl& m = *impl_;
  if (targets.size() != tokens.size() || log_probs.size() != tokens.size()) {
    throw failure("Transformer: {} tokens, {} targets, room for {}", tokens.size(), targets.size(), log_probs.size());
  }
  m.check(tokens, targets);
  m.for_each_pass(parameters, tokens, [&](Rows rows, std::size_t first) {
    m.head.score(m.weights(parameters), rows.count, m.activations.final_normed, targets.data() + first,
                 log_probs.data() + first);
  });
}

void Transformer::logits(const float* parameters, std::span<const TokenId> tokens, std::span<float> logits) {
  Impl& m = *impl_;
  const LinearOffsets& head = m.engine.offsets.head;
  const auto vocab = static_cast<std::size_t>(head.out);
  if (logits.size() != tokens.size() * vocab) {
    throw failure("Transformer: room for {} logits, not {} x {}", logits.size(), tokens.size(), vocab);
  }
  m.check(tokens, {});
  m.for_each_pass(parameters, tokens, [&](Rows rows, std::size_t first) {
    linear_forward(head, m.weights(parameters), rows.count, m.activations.final_normed, logits.data() + first * vocab);
  });
}

}  // namespace btm
