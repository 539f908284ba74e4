// Log-probabilities of token streams under an LM on a GPU; see score.h.
#pragma once

#include <map>
#include <span>

#include "btm/core/token.h"
#include "btm/model/cuda/graph.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/transformer.h"
#include "btm/train/staged_cuda.h"

namespace btm::cuda {

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
