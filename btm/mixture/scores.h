// Log-probabilities of one text under several models: all that mixtures need, so that only one model is in memory at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "btm/core/token.h"
#include "btm/model/parameters.h"
#include "btm/train/text_scorer.h"

namespace btm {

struct Scores {
  std::vector<std::string> experts;
  std::int64_t tokens = 0;       // targets
  int window = 0;                // targets per window; context and posterior restart after each
  std::vector<float> log_probs;  // [experts, tokens], nats

  std::size_t count() const { return experts.size(); }
  std::span<const float> of(std::size_t expert) const {
    return std::span(log_probs).subspan(expert * static_cast<std::size_t>(tokens), static_cast<std::size_t>(tokens));
  }
};

// A scorer for windows of that size of the model called `name`. Throws Error(input): a context shorter than the window;
// as make_text_scorer().
std::unique_ptr<TextScorer> scorer_of(const Model& model, const std::string& name, int window,
                                      const ScoringPlace& place);

// log p of every token after the first [tokens.size() - 1], in the scorer's windows (the last one may be shorter).
// Throws Error(input) naming the model: fewer than two tokens, a token outside its vocabulary, a log-probability that
// is not a number.
std::vector<float> score_text(TextScorer& scorer, const std::string& name, const std::vector<TokenId>& tokens);

// The scores of some of the experts.
Scores select_experts(const Scores& scores, std::span<const int> experts);

double mean_loss(std::span<const float> log_probs);  // nats per token

}  // namespace btm
