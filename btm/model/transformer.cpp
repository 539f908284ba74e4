#include "btm/model/transformer.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "btm/model/backward.h"
#include "btm/model/forward.h"
#include "btm/model/head.h"

namespace btm {
namespace {

// A batch goes through in passes of about so many rows of a thread: enough for long products, few enough for the
// activations of small models to stay in the caches. Threads together multiply the rows of all for the weights'
// gradients: half as many of each are as fast.
constexpr int kPassRows = 1024, kPassRowsTogether = 512;

int pass_sequences(int sequences, int length, int members) {
  const int rows = members == 1 ? kPassRows : kPassRowsTogether * members;
  return std::clamp(rows / length, 1, sequences);
}

std::size_t member_workspace(const ModelConfig& c, int length, Operands operands) {
  constexpr std::size_t kAligned = Buffer::kAlignment / sizeof(float);
  return (attention_workspace(attention_shape(c, length, operands)) + kAligned - 1) / kAligned * kAligned;
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
  Impl(const ModelConfig& config, int sequences_at_once, int tokens, Use use, Operands rounded, int threads)
      : engine(config, tokens),
        sequences(sequences_at_once),
        length(tokens),
        pass(pass_sequences(sequences, length, threads) * length),
        keep(kept_for(use)),
        operands(rounded),
        workspace(member_workspace(engine.config, length, operands)),
        activations(engine.config, pass, keep, operands, workspace * static_cast<std::size_t>(threads)),
        head(engine.offsets.head, pass, threads),
        log_probs(keep == Keep::nothing ? 0 : static_cast<std::size_t>(pass)),
        members(threads),
        meeting(threads) {
    for (int row = 0; row < pass; ++row) positions.push_back(row % length);
    if (keep != Keep::nothing) gradients.emplace(engine.config, pass, operands);
    if (members == 1) return;
    vector_gradients.emplace(engine.offsets, members);
    rows_of_member.resize(static_cast<std::size_t>(members));
    for (ActivationLayout& rows : rows_of_member) take_rows(activations, engine.config, 0, rows);
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

  void require_one_member() const {
    if (members > 1) throw failure("Transformer: made for {} threads to train, asked to score", members);
  }

  Share share_of(int member) { return {member, members, members > 1 ? &meeting : nullptr}; }

  // Calls body(pass, first) for pieces of the batch, after their forward pass; `first` is their first row in the batch.
  template <class Body>
  void for_each_pass(const Weights& weights, std::span<const TokenId> tokens, int member, const Body& body) {
    const Share share = share_of(member);
    for (std::size_t first = 0; first < tokens.size(); first += pass) {
      const int rows = static_cast<int>(std::min<std::size_t>(pass, tokens.size() - first)), begin = share.begin(rows);
      const Pass p{engine,
                   weights,
                   rows / length,
                   length,
                   share,
                   {rows, positions.data()},
                   {share.size(rows), positions.data() + begin},
                   begin,
                   activations,
                   own_rows(begin, member)};
      share.meet();  // a piece of other rows deals them out otherwise
      forward(p, tokens.data() + first + begin);
      body(p, first);
    }
  }

  // The member's view of its rows, in this pass from `first` on.
  ActivationLayout& own_rows(int first, int member) {
    if (members == 1) return activations;
    ActivationLayout& own = rows_of_member[static_cast<std::size_t>(member)];
    take_rows(activations, engine.config, first, own);
    own.workspace = activations.workspace + workspace * static_cast<std::size_t>(member);
    return own;
  }

  static void forward(const Pass& p, const TokenId* tokens) {
    embed(p.engine, p.weights.parameters, p.rows, tokens, p.a);
    for (int layer = 0; layer < p.engine.config.layers; ++layer) {
      before_attention(p.engine, p.weights, layer, p.rows, p.a);
      attend(p, layer);
      after_attention(p.engine, p.weights, layer, p.rows, p.a);
    }
    final_norm(p.engine, p.weights.parameters, p.rows, p.a);
  }

  Engine engine;
  int sequences, length;
  int pass;  // rows
  Keep keep;
  Operands operands;
  const PackedWeights* packed = nullptr;
  std::vector<int> positions;  // [pass]
  std::size_t workspace;       // floats of a member, of attention
  Activations activations;
  std::optional<ActivationGradients> gradients;
  Head head;
  Buffer log_probs;  // [pass], in training
  // Of threads that make a pass together.
  int members;
  std::barrier<> meeting;
  std::vector<ActivationLayout> rows_of_member;     // [members], of its rows; none with one
  std::optional<VectorGradients> vector_gradients;  // none with one
};

Transformer::Transformer(const ModelConfig& config, int sequences, int length, Use use, Operands operands,
                         int members) {
  check_extent(config, sequences, length);
  impl_ = std::make_unique<Impl>(config, sequences, length, use, operands, members);
}
Transformer::~Transformer() = default;
Transformer::Transformer(Transformer&&) noexcept = default;

std::size_t Transformer::bytes(const ModelConfig& config, int sequences, int length, Use use, Operands operands,
                               int members) {
  const ModelConfig c = resolve(config);
  const WeightOffsets offsets = weight_offsets(c);
  const int rows = pass_sequences(sequences, length, members) * length;
  const std::size_t workspace = static_cast<std::size_t>(members) * member_workspace(c, length, operands);
  std::size_t floats = activation_floats(c, rows, kept_for(use), operands, workspace) +
                       Head::floats(offsets.head, rows, members) + rope_floats(c, length);
  if (use != Use::scoring) floats += ActivationGradients::floats(c, rows, operands) + static_cast<std::size_t>(rows);
  if (members > 1) floats += VectorGradients::floats(offsets, members);
  return floats * sizeof(float);
}

void Transformer::use(const WeightOffsets& offsets, int member) {
  const Share share = impl_->share_of(member);
  share.meet();
  if (member == 0) impl_->engine.offsets = offsets;
  share.meet();
}

void Transformer::use(const PackedWeights* packed) {
  impl_->packed = packed;
}

double Transformer::train(const float* parameters, std::span<const TokenId> tokens, std::span<const TokenId> targets,
                          float scale, float* gradients, const BlockDone& block_done, int member) {
  Impl& m = *impl_;
  if (!m.gradients) throw failure("Transformer: made for scoring, asked to train");
  if (targets.size() != tokens.size())
    throw failure("Transformer: {} targets for {} tokens", targets.size(), tokens.size());
  m.check(tokens, targets);
  const Weights weights = m.weights(parameters);
  double loss = 0;
  const auto train_rows = [&](const Pass& p, std::size_t first) {
    const bool last = first + static_cast<std::size_t>(p.all_rows.count) == tokens.size();
    m.head.train(weights, p.share, p.all_rows.count, p.all.final_normed, targets.data() + first, scale,
                 m.log_probs.data(), m.gradients->narrow, gradients);
    backward(p, tokens.data() + first, m.keep, *m.gradients, gradients,
             m.vector_gradients ? &*m.vector_gradients : nullptr, last ? block_done : nullptr);
    for (int row = 0; row < p.rows.count; ++row) loss -= m.log_probs.data()[p.first + row];
  };
  try {
    m.for_each_pass(weights, tokens, member, train_rows);
  } catch (...) {  // no memory for a buffer of the thread's: the others must not wait for it
    m.meeting.arrive_and_drop();
    throw;
  }
  return loss;
}

void Transformer::score(const float* parameters, std::span<const TokenId> tokens, std::span<const TokenId> targets,
                        std::span<float> log_probs) {
  Impl& m = *impl_;
  m.require_one_member();
  if (targets.size() != tokens.size() || log_probs.size() != tokens.size()) {
    throw failure("Transformer: {} tokens, {} targets, room for {}", tokens.size(), targets.size(), log_probs.size());
  }
  m.check(tokens, targets);
  m.for_each_pass(m.weights(parameters), tokens, 0, [&](const Pass& p, std::size_t first) {
    m.head.score(p.weights, p.rows.count, p.a.final_normed, targets.data() + first, log_probs.data() + first);
  });
}

void Transformer::logits(const float* parameters, std::span<const TokenId> tokens, std::span<float> logits) {
  Impl& m = *impl_;
  m.require_one_member();
  const LinearOffsets& head = m.engine.offsets.head;
  const auto vocab = static_cast<std::size_t>(head.out);
  if (logits.size() != tokens.size() * vocab) {
    throw failure("Transformer: room for {} logits, not {} x {}", logits.size(), tokens.size(), vocab);
  }
  m.check(tokens, {});
  m.for_each_pass(m.weights(parameters), tokens, 0, [&](const Pass& p, std::size_t first) {
    linear_forward(head, p.weights, p.rows.count, p.a.final_normed, logits.data() + first * vocab);
  });
}

}  // namespace btm
