// Log-probabilities of token streams under an LM on a GPU; see score.h.
#pragma once

#include <map>
#include <span>

#include "btm/core/token.h"
#include "btm/model/cuda/graph.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/transformer.h"

namespace btm::cuda {

// Bytes of the GPU's memory that a pass may take for its buffers. By what is built in, not by what is free: products
// may round otherwise with other shapes, and equal inputs give equal bytes.
double activation_memory();

// The sequences of a pass on the host, from where the GPU copies them.
class StagedTokens {
 public:
  explicit StagedTokens(const Transformer& transformer);

  // Windows of `window` tokens at the beginning of sequences each; what is left of these has no targets.
  void fill(std::span<const TokenId> tokens, std::span<const TokenId> targets, std::size_t window);

  std::size_t rows() const { return tokens_.size(); }
  const TokenId* tokens() const { return tokens_.data(); }
  const TokenId* targets() const { return targets_.data(); }

 private:
  std::size_t length_;
  PinnedArray<TokenId> tokens_, targets_;  // [sequences, length]
};

// As btm::Scorer, one call of the transformer after the other, each the start of a graph.
class Scorer {
 public:
  explicit Scorer(Transformer& transformer);  // which outlives it

  // As btm::Scorer::score for windows of at most the transformer's length. `offsets` numbers what the transformer was
  // told to use(); the parameters are at the same addresses each time.
  void score(const Parameters& parameters, int offsets, int window, std::span<const TokenId> tokens,
             std::span<float> log_probs);

 private:
  Transformer& transformer_;
  StagedTokens staged_;
  PinnedArray<float> log_probs_;   // [sequences, length]
  std::map<int, Graph> graphs_;    // by offsets
  const float* scored_ = nullptr;  // where the transformer leaves them
};

}  // namespace btm::cuda
