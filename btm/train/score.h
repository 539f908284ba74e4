// Log-probabilities of a token stream under one LM.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "btm/core/thread_team.h"
#include "btm/core/token.h"
#include "btm/model/parameters.h"
#include "btm/model/transformer.h"

namespace btm {

// Scores with buffers allocated once. Windows of `length` inputs are laid end to end: window w predicts
// tokens[w*length + 1 ... (w+1)*length] and restarts the context. Windows are split over the team; the result does not
// depend on its size.
class Scorer {
 public:
  // length <= config.context; the team outlives the scorer. `operands`: of all products.
  Scorer(const ModelConfig& config, int length, ThreadTeam& team, Operands operands = Operands::fp32);

  static std::size_t bytes(const ModelConfig& config, int length, int threads,
                           Operands operands = Operands::fp32);  // of those buffers

  // See Transformer::use.
  void use(const WeightOffsets& offsets);

  // log p in nats of every target of the first floor((tokens.size() - 1) / length) windows, into log_probs
  // [windows, length].
  void score(const float* parameters, std::span<const TokenId> tokens, std::span<float> log_probs);

 private:
  int length_, windows_per_call_;
  ThreadTeam& team_;
  std::vector<Transformer> replicas_;
};

// A scorer for windows of any length, one at a time: each holds logits for every thread. Another length than before
// makes it anew. The team outlives it.
class WindowScorer {
 public:
  WindowScorer(const ModelConfig& config, ThreadTeam& team, Operands operands)
      : config_(config), team_(team), operands_(operands) {}
  Scorer& of(int window) {
    if (window != window_) {
      scorer_.reset();  // before the new one takes its memory
      scorer_ = std::make_unique<Scorer>(config_, window, team_, operands_);
      window_ = window;
    }
    return *scorer_;
  }

 private:
  ModelConfig config_;
  ThreadTeam& team_;
  Operands operands_;
  int window_ = 0;
  std::unique_ptr<Scorer> scorer_;
};

std::size_t scored_windows(std::size_t tokens, int length);  // floor((tokens - 1) / length)

}  // namespace btm
