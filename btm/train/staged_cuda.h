// The sequences of a pass on the host, from where the GPU copies them.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "btm/core/token.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/transformer.h"

namespace btm::cuda {

// Bytes of the GPU's memory that a pass may take for its buffers. By what is built in, not by what is free: products
// may round differently with other shapes, and equal inputs give equal bytes.
double activation_memory();

// Sequences of `length` tokens of a pass of a text: at most `most`, as many as fill the largest GPUs, and as its memory
// allows.
int sequences_at_once(const ModelConfig& config, int length, Transformer::Use use,
                      std::size_t most = std::numeric_limits<std::size_t>::max());

// For a pass that scores.
class StagedTokens {
 public:
  explicit StagedTokens(const Transformer& transformer);

  // Windows of `window` tokens at the beginning of sequences each; what is left of these has no targets.
  void fill(std::span<const TokenId> tokens, std::span<const TokenId> targets, std::size_t window);

  int rows() const { return static_cast<int>(tokens_.size()); }
  Transformer::Batch batch() const { return {tokens_.data(), targets_.data(), nullptr, nullptr}; }

 private:
  std::size_t length_;
  PinnedArray<TokenId> tokens_, targets_;  // [sequences, length]
};

// For one that trains: with the order of the tokens.
class StagedSequences {
 public:
  StagedSequences(const Transformer& transformer, const ModelConfig& config);

  // Whole sequences.
  void fill(std::span<const TokenId> tokens, std::span<const TokenId> targets);

  Transformer::Batch batch() const;

 private:
  std::size_t length_;
  StagedTokens tokens_;
  PinnedArray<int> order_, starts_;
  std::vector<int> scratch_;  // [vocabulary]
};

}  // namespace btm::cuda
