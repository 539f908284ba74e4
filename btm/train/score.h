// Log-probabilities of a token stream under one LM.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "btm/core/token.h"
#include "btm/model/parameters.h"
#include "btm/model/transformer.h"
#include "btm/train/thread_team.h"

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

// Scorers for windows of any length, made when they are first asked for. The team outlives them.
class WindowScorers {
 public:
  WindowScorers(const ModelConfig& config, ThreadTeam& team, Operands operands)
      : config_(config), team_(team), operands_(operands) {}
  Scorer& of(int window) { return scorers_.try_emplace(window, config_, window, team_, operands_).first->second; }

 private:
  ModelConfig config_;
  ThreadTeam& team_;
  Operands operands_;
  std::map<int, Scorer> scorers_;
};

std::size_t scored_windows(std::size_t tokens, int length);  // floor((tokens - 1) / length)

}  // namespace btm
