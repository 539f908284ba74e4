#include "btm/mixture/product.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/interrupt.h"
#include "btm/core/thread_team.h"
#include "btm/model/kernels/loss.h"
#include "btm/model/transformer.h"

namespace btm {

namespace {

constexpr std::size_t kPieceFloats = 64 << 20;  // of the sums of log-probabilities [tokens, vocab]

}  // namespace

std::vector<float> product_log_probs(std::span<const Member> members, const Text& text, int window,
                                     const ScoringPlace& place) {
  const auto length = static_cast<std::size_t>(window), targets = static_cast<std::size_t>(text.targets());
  const std::size_t windows = (targets + length - 1) / length;
  std::vector<TokenId> tokens = text.tokens;  // the last window is filled up; no position sees those after it
  tokens.resize(windows * length + 1, tokens.back());
  std::vector<float> log_probs(windows * length);
  const float share = 1.0f / static_cast<float>(members.size());
  const auto vocab = static_cast<std::size_t>(load_member(members.front()).config.vocab_size);
  ThreadTeam team(place.threads);
  const std::size_t least = std::min(windows, static_cast<std::size_t>(team.size()));
  const std::size_t piece = std::clamp(kPieceFloats / (length * vocab), least, windows);
  std::vector<float> sums(piece * length * vocab);
  for (std::size_t first = 0; first < windows; first += piece) {
    const std::size_t count = std::min(piece, windows - first);
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (const Member& member : members) {
      throw_if_interrupted();
      Model model = load_member(member);
      if (static_cast<std::size_t>(model.config.vocab_size) != vocab) {
        throw input_error("{} has a vocabulary of {} tokens, {} one of {}: they have no product", member.name,
                          model.config.vocab_size, members.front().name, vocab);
      }
      team.run([&](int thread) {
        if (static_cast<std::size_t>(thread) >= count) return;
        Transformer transformer(model.config, 1, window, Transformer::Use::scoring, operands_of(place.precision));
        std::vector<float> logits(length * vocab);
        for (auto w = static_cast<std::size_t>(thread); w < count; w += static_cast<std::size_t>(team.size())) {
          transformer.logits(model.parameters.data(), std::span(tokens).subspan((first + w) * length, length), logits);
          for (std::size_t row = 0; row < length; ++row) {
            add_log_probabilities(static_cast<int>(vocab), &logits[row * vocab], share,
                                  &sums[(w * length + row) * vocab]);
          }
        }
      });
    }
    log_probabilities(static_cast<int>(count * length), static_cast<int>(vocab), sums.data(),
                      &tokens[first * length + 1], &log_probs[first * length]);
  }
  log_probs.resize(targets);
  return log_probs;
}

}  // namespace btm
