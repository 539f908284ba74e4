#include "btm/train/staged_cuda.h"

#include <algorithm>

#include "btm/train/device.h"

namespace btm::cuda {

double activation_memory() {
  constexpr double kShare = 0.3;
  return kShare * find_gpu().value_or(Gpu{}).memory_bytes;
}

int sequences_at_once(const ModelConfig& config, int length, Transformer::Use use, std::size_t most) {
  constexpr int kTokens = 16384;  // of a text as much is left over at its end
  int sequences = static_cast<int>(std::min<std::size_t>(most, std::max(1, kTokens / length)));
  const auto bytes = [&] { return static_cast<double>(Transformer::bytes(config, sequences, length, use)); };
  while (sequences > 1 && bytes() > activation_memory()) sequences /= 2;
  return sequences;
}

StagedTokens::StagedTokens(const Transformer& transformer)
    : length_(static_cast<std::size_t>(transformer.length())),
      tokens_(length_ * static_cast<std::size_t>(transformer.sequences())),
      targets_(tokens_.size()) {}

void StagedTokens::fill(std::span<const TokenId> tokens, std::span<const TokenId> targets, std::size_t window) {
  std::fill_n(tokens_.data(), tokens_.size(), 0);
  std::fill_n(targets_.data(), targets_.size(), kNoToken);
  for (std::size_t from = 0, to = 0; from < targets.size(); from += window, to += length_) {
    std::copy_n(tokens.data() + from, window, tokens_.data() + to);
    std::copy_n(targets.data() + from, window, targets_.data() + to);
  }
}

StagedSequences::StagedSequences(const Transformer& transformer, const ModelConfig& config)
    : length_(static_cast<std::size_t>(transformer.length())),
      tokens_(transformer),
      order_(static_cast<std::size_t>(tokens_.rows())),
      starts_(order_.size() + 1),
      scratch_(static_cast<std::size_t>(config.vocab_size)) {}

void StagedSequences::fill(std::span<const TokenId> tokens, std::span<const TokenId> targets) {
  tokens_.fill(tokens, targets, length_);
  const auto rows = static_cast<std::ptrdiff_t>(tokens.size());  // what is left of a call has no gradients
  sort_by_token(static_cast<int>(rows), tokens_.batch().tokens, order_.data(), starts_.data(), scratch_.data());
  std::fill(starts_.data() + rows + 1, starts_.data() + starts_.size(), static_cast<int>(rows));
}

Transformer::Batch StagedSequences::batch() const {
  return {tokens_.batch().tokens, tokens_.batch().targets, order_.data(), starts_.data()};
}

}  // namespace btm::cuda
