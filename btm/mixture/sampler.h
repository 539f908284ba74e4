// The choice of the next token out of the logits, with the meanings and the order of transformers' generate().
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "btm/core/random.h"
#include "btm/core/token.h"

namespace btm {

struct SamplerSettings {
  double temperature = 0.8;
  int top_k = 0;
  double top_p = 1;
  double min_p = 0;
  double repetition_penalty = 1;
  std::int64_t random_seed = 1;
};

template <class F>
void visit(SamplerSettings& s, F&& f) {
  f("temperature", s.temperature, "the logits are divided by it; 0: always the likeliest token");
  f("top_k", s.top_k, "only the k likeliest tokens; 0: all");
  f("top_p", s.top_p, "only the likeliest tokens that make up this much probability (Holtzman et al. 2020); 1: all");
  f("min_p", s.min_p, "only tokens at least this likely, relative to the likeliest (Nguyen et al. 2024); 0: all");
  f("repetition_penalty", s.repetition_penalty,
    "of tokens already there (Keskar et al. 2019), on logits, of an ensemble on log-probabilities; 1: none");
  f("random_seed", s.random_seed, "same seed, same text");
}

void check(const SamplerSettings& settings);  // throws Error(input) for values out of range

// Probabilities [vocab] after repetition penalty, temperature, top k, top p and min p, in this order. Temperature 0
// puts all on the first of the likeliest tokens. Throws Error(input) for logits that are not numbers.
std::vector<float> sampling_probabilities(std::span<const float> logits, std::span<const TokenId> history,
                                          const SamplerSettings& settings);

class Sampler {
 public:
  explicit Sampler(const SamplerSettings& settings);
  TokenId next(std::span<const float> logits, std::span<const TokenId> history);

 private:
  SamplerSettings settings_;
  Random random_;
};

}  // namespace btm
