// A model small enough for the emulator, and random batches for it.
#pragma once

#include <span>
#include <vector>

#include "btm/core/random.h"
#include "btm/model/config.h"
#include "btm/train/learner.h"

namespace btm::test {

inline ModelConfig small_config() {
  ModelConfig config;
  config.layers = 2;
  config.width = 32;
  config.heads = 4;
  config.context = 16;
  config.vocab_size = 61;
  return config;
}

// An update on a batch that its number alone decides; `domains` are those of DEMix, or as many numbers as sequences.
inline UpdateReport learn_random_batch(Learner& learner, std::span<const int> domains, int update) {
  const ModelConfig config = small_config();
  Random random(static_cast<std::uint64_t>(update));
  std::vector<TokenId> inputs(domains.size() * static_cast<std::size_t>(config.context)), targets(inputs.size());
  for (TokenId& token : inputs) token = static_cast<TokenId>(random.below(config.vocab_size));
  for (TokenId& token : targets) token = static_cast<TokenId>(random.below(config.vocab_size));
  return learner.learn(inputs, targets, domains, update);
}

}  // namespace btm::test
