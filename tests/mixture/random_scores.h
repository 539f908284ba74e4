// Scores out of a random number generator.
#pragma once

#include "btm/core/random.h"
#include "btm/mixture/scores.h"

namespace btm::test {

// Log-probabilities of -0.1 to -8 nats; expert j is better by j * `gain` nats per token.
inline Scores random_scores(int experts, std::int64_t tokens, int window, std::uint64_t seed, double gain = 0) {
  Scores scores{{}, tokens, window, {}};
  Random random(seed);
  for (int j = 0; j < experts; ++j) {
    scores.experts.push_back("expert" + std::to_string(j));
    for (std::int64_t t = 0; t < tokens; ++t) {
      scores.log_probs.push_back(static_cast<float>(-0.1 - 7.9 * random.uniform() + gain * j));
    }
  }
  return scores;
}

}  // namespace btm::test
