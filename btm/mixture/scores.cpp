#include "btm/mixture/scores.h"

#include <algorithm>
#include <cmath>

#include "btm/core/error.h"

namespace btm {

std::unique_ptr<TextScorer> scorer_of(const Model& model, const std::string& name, int window,
                                      const ScoringPlace& place) {
  if (window > model.config.context) {
    throw input_error("{} sees {} tokens at once, fewer than the window of {}", name, model.config.context, window);
  }
  return make_text_scorer(model, window, place);
}

std::vector<float> score_text(TextScorer& scorer, const std::string& name, const std::vector<TokenId>& tokens) {
  if (tokens.size() < 2) throw input_error("a text of {} tokens can't be scored: it needs at least 2", tokens.size());
  check_tokens(tokens, scorer.config().vocab_size, name);
  // Whole windows only are scored: the last one is filled up with a token whose scores are dropped again. No position
  // sees those after it.
  std::size_t targets = tokens.size() - 1, length = static_cast<std::size_t>(scorer.window());
  std::vector<TokenId> padded = tokens;
  padded.resize((targets + length - 1) / length * length + 1, tokens.back());
  std::vector<float> log_probs(padded.size() - 1);
  scorer.score(padded, log_probs);
  log_probs.resize(targets);
  if (std::any_of(log_probs.begin(), log_probs.end(), [](float x) { return std::isnan(x); })) {
    throw input_error("{} gives log-probabilities that are not numbers: its weights are damaged", name);
  }
  return log_probs;
}

Scores select_experts(const Scores& scores, std::span<const int> experts) {
  Scores chosen{{}, scores.tokens, scores.window, {}};
  chosen.log_probs.reserve(experts.size() * static_cast<std::size_t>(scores.tokens));
  for (int expert : experts) {
    chosen.experts.push_back(scores.experts[static_cast<std::size_t>(expert)]);
    auto row = scores.of(static_cast<std::size_t>(expert));
    chosen.log_probs.insert(chosen.log_probs.end(), row.begin(), row.end());
  }
  return chosen;
}

double mean_loss(std::span<const float> log_probs) {
  double sum = 0;
  for (float x : log_probs) sum -= x;
  return log_probs.empty() ? 0 : sum / static_cast<double>(log_probs.size());
}

}  // namespace btm
