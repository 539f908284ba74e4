// What the experts of a forest say of one text.
#pragma once

#include <string>
#include <vector>

#include "btm/data/tokenizer.h"
#include "btm/forest/forest.h"
#include "btm/mixture/domain_sample.h"

namespace btm {

struct TextPosterior {
  std::vector<TokenId> tokens;  // scored
  Scores scores;
  std::int64_t bytes = 0;           // that the scored tokens stand for
  MixtureWeights weights;           // used
  std::vector<double> course;       // [tokens + 1, experts]: before each token and after the last
  std::vector<double> posterior;    // [experts], after the text
  std::vector<double> share;        // [experts], of the tokens: weights of the fixed mixture that fits the text best
  std::vector<double> mean_losses;  // [experts], nats per token
};

struct TextPosteriorSettings {
  PriorSettings prior{PriorKind::uniform, std::nullopt};
  DomainSample sample;  // sets the prior; needed by cached and fitted
  ScoringPlace place;
  bool quiet = false;
};

// The posterior over the members, experts of the forest as a rule. Scores the text with one after the other in memory.
// Evidence is gathered over the whole text, though the experts' context restarts after each window; with an updating
// prior the posterior restarts there, too. Throws Error(input): no experts, text without tokens, unknown domain, a
// prior that needs a domain.
TextPosterior text_posterior(const Forest& forest, const std::vector<Member>& members, const Tokenizer& tokenizer,
                             const std::string& text, const TextPosteriorSettings& settings);

}  // namespace btm
