#include "btm/train/score.h"

#include <algorithm>

#include "btm/train/passes.h"

namespace btm {

std::size_t Scorer::bytes(const ModelConfig& config, int length, int threads, Operands operands) {
  const std::size_t replica =
      Transformer::bytes(config, sequences_per_call(length), length, Transformer::Use::scoring, operands);
  return static_cast<std::size_t>(threads) * replica;
}

Scorer::Scorer(const ModelConfig& config, int length, ThreadTeam& team, Operands operands)
    : length_(length), windows_per_call_(sequences_per_call(length)), team_(team) {
  for (int i = 0; i < team.size(); ++i) {
    replicas_.emplace_back(config, windows_per_call_, length, Transformer::Use::scoring, operands);
  }
}

void Scorer::use(const WeightOffsets& offsets) {
  for (Transformer& replica : replicas_) replica.use(offsets);
}

void Scorer::score(const float* parameters, std::span<const TokenId> tokens, std::span<float> log_probs) {
  // Every call takes the same windows whatever the number of threads: a GEMM may round differently with other shapes.
  const auto length = static_cast<std::size_t>(length_), group = static_cast<std::size_t>(windows_per_call_);
  const std::size_t windows = scored_windows(tokens.size(), length_);
  team_.run([&](int thread) {
    auto r = static_cast<std::size_t>(thread);
    for (std::size_t first = r * group; first < windows; first += group * static_cast<std::size_t>(team_.size())) {
      std::size_t start = first * length, size = std::min(group, windows - first) * length;
      replicas_[r].score(parameters, tokens.subspan(start, size), tokens.subspan(start + 1, size),
                         log_probs.subspan(start, size));
    }
  });
}

std::size_t scored_windows(std::size_t tokens, int length) {
  return tokens == 0 ? 0 : (tokens - 1) / static_cast<std::size_t>(length);
}

}  // namespace btm
