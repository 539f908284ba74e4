#include "btm/model/transformer.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "btm/model/backward.h"
#include "btm/model/forward.h"
#include "btm/model/head.h"

namespace btm {
namespace {

// A batch goes through in passes of about so many rows: enough for long products, few enough for the activations of
// small models to stay in the caches.
constexpr int kPassRows = 1024;

int pass_sequences(int sequences, int length, int members) {
  return std::clamp(kPassRows * members / length, 1, sequences);
}

std::size_t member_workspace(const ModelConfig& c, int length, Operands operands) {
  constexpr std::size_t kAligned = Buffer::kAlignment / sizeof(float);
  return (attention_workspace(attention_shape(c, length, operands)) + kAligned - 1) / kAligned * kAligned;
}

int most_rows(int rows, int members) {  // of one of them
  return (rows + members - 1) / members;
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
  // What belongs to one of the threads that make a pass together.
  struct Member {
    Member(const LinearOffsets& head_at, int rows) : head(head_at, rows), log_probs(rows) {}
    ActivationLayout activations;  // of its rows; unused where it is the only one
    Head head;
    Buffer log_probs;  // [rows]
  };

  Impl(const ModelConfig& config, int sequences_at_once, int tokens, Use use, Operands rounded, int threads)
      : engine(config, tokens),
        sequences(sequences_at_once),
        length(tokens),
        pass(pass_sequences(sequences, length, threads) * length),
        keep(kept_for(use)),
        operands(rounded),
        workspace(member_workspace(engine.config, length, operands)),
        activations(engine.config, pass, keep, operands, workspace * static_cast<std::size_t>(threads)),
        meeting(threads) {
    for (int row = 0; row < pass; ++row) positions.push_back(row % length);
    if (keep != Keep::nothing) gradients.emplace(engine.config, pass, operands);
    for (int i = 0; i < threads; ++i) members.emplace_back(engine.offsets.head, most_rows(pass, threads));
    for (Member& member : members) take_rows(activations, engine.config, 0, member.activations);
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
    if (members.size() > 1) throw failure("Transformer: made for {} threads to train, asked to score", members.size());
  }

  Share share_of(int member) {
    return {member, static_cast<int>(members.size()), members.size() > 1 ? &meeting : nullptr};
  }

  // Calls body(pass, first) for pieces of the batch, after their forward pass; `first` is the first of the pass's own
  // rows within the batch.
  template <class Body>
  void for_each_pass(const Weights& weights, std::span<const TokenId> tokens, int member, const Body& body) {
    const Share share = share_of(member);
    for (std::size_t first = 0; first < tokens.size(); first += pass) {
      const int rows = static_cast<int>(std::min<std::size_t>(pass, tokens.size() - first)), begin = share.begin(rows);
      const Pass p{
          engine, weights, rows / length,           length,     {share.end(rows) - begin, positions.data() + begin},
          begin,  share,   own_rows(begin, member), activations};
      share.meet();  // a piece of other rows deals them out otherwise
      forward(p, tokens.data() + first + begin);
      body(p, first + static_cast<std::size_t>(begin));
    }
  }

  // The member's view of its rows, in this pass from `first` on.
  ActivationLayout& own_rows(int first, int member) {
    if (members.size() == 1) return activations;
    ActivationLayout& own = members[static_cast<std::size_t>(member)].activations;
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
  std::vector<Member> members;
  std::barrier<> meeting;
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
  const int rows = pass_sequences(sequences, length, members) * length, own = most_rows(rows, members);
  const auto count = static_cast<std::size_t>(members);
  std::size_t floats =
      activation_floats(c, rows, kept_for(use), operands, count * member_workspace(c, length, operands)) +
      count * (Head::floats(weight_offsets(c).head, own) + std::size_t(own));
  if (use != Use::scoring) floats += ActivationGradients::floats(c, rows, operands);
  return (floats + rope_floats(c, length)) * sizeof(float);
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
  Impl::Member& own = m.members[static_cast<std::size_t>(member)];
  double loss = 0;
  const auto train_rows = [&](const Pass& p, std::size_t first) {
    const GradientLayout d = rows_of(*m.gradients, m.engine.config, p.first);
    own.head.train(weights, p.rows.count, p.a.final_normed, targets.data() + first, scale, own.log_probs.data(),
                   d.narrow, gradients);
    const std::size_t whole = first - static_cast<std::size_t>(p.first);
    const bool last = whole + static_cast<std::size_t>(p.sequences) * p.length == tokens.size();
    backward(p, tokens.data() + first, m.keep, *m.gradients, d, gradients, last ? block_done : nullptr);
    for (int row = 0; row < p.rows.count; ++row) loss -= own.log_probs.data()[row];
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
    m.members.front().head.score(p.weights, p.rows.count, p.a.final_normed, targets.data() + first,
                                 log_probs.data() + first);
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
