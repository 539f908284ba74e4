// A model small enough for the emulator, and random batches for it.
#pragma once

#include <cstdlib>
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

// While it lives the emulated GPU has little memory, so that what takes all that there is makes short calls.
class LittleMemory {
 public:
  LittleMemory() { ::setenv("EMULATED_GPU_MEMORY", "8000000", 1); }
  ~LittleMemory() { ::unsetenv("EMULATED_GPU_MEMORY"); }
  LittleMemory(const LittleMemory&) = delete;
  LittleMemory& operator=(const LittleMemory&) = delete;
};

struct Batch {
  std::vector<TokenId> inputs, targets;
};
// Of an update, whose number alone decides it.
inline Batch random_batch(std::size_t sequences, int update) {
  const ModelConfig config = small_config();
  Random random(static_cast<std::uint64_t>(update));
  Batch batch;
  batch.inputs.resize(sequences * static_cast<std::size_t>(config.context));
  batch.targets.resize(batch.inputs.size());
  for (TokenId& token : batch.inputs) token = static_cast<TokenId>(random.below(config.vocab_size));
  for (TokenId& token : batch.targets) token = static_cast<TokenId>(random.below(config.vocab_size));
  return batch;
}
// `domains` are those of DEMix, or as many numbers as sequences.
inline UpdateReport learn_random_batch(Learner& learner, std::span<const int> domains, int update) {
  const Batch batch = random_batch(domains.size(), update);
  return learner.learn(batch.inputs, batch.targets, domains, update);
}

}  // namespace btm::test
