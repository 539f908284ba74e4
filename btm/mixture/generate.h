// Text from a language model or a mixture of them, for several prompts at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "btm/data/tokenizer.h"
#include "btm/mixture/ensemble.h"
#include "btm/mixture/sampler.h"

namespace btm {

struct GenerateSettings {
  std::int64_t tokens = 100;
  SamplerSettings sampler;
  std::vector<std::string> stop;    // end before any of these texts; not in visit: they may hold commas
  std::vector<TokenId> end_tokens;  // end at any of these, too, besides the tokenizer's end of text
};
template <class F>
void visit(GenerateSettings& s, F&& f) {
  f("tokens", s.tokens, "to generate at most");
  visit(s.sampler, f);
}

void check(const GenerateSettings& settings);  // throws Error(input) for values out of range

struct GeneratedToken {
  TokenId id;
  int expert;     // of the largest weight when it was drawn
  double weight;  // that it had
};

struct Generation {
  std::vector<TokenId> prompt;
  std::vector<GeneratedToken> tokens;
  std::string text;               // generated, valid UTF-8, without the prompt
  std::string reason;             // why it ended: tokens, end_of_text, stop
  std::vector<double> posterior;  // after the last token, [experts]
};

// Takes a piece of the text of prompt `index`; `expert` drove the token that completed it.
using EmitText = std::function<void(std::size_t index, std::string_view text, int expert)>;

// Takes what prompt `index` got, when it has ended.
using TakeGeneration = std::function<void(std::size_t index, const Generation& out)>;

// Throws Error(input) for a prompt that can't be gone on from: empty, longer than the context, of tokens that the
// models don't have.
std::vector<TokenId> encode_prompt(const Ensemble& ensemble, const Tokenizer& tokenizer, const std::string& prompt);

// One generation for each prompt, as many at once as the ensemble has sequences. Prompt i is sampled with random_seed +
// i, so what it gets doesn't depend on the other prompts. Hands the text to `emit` as it grows,
// and what a prompt got to `done` as soon as it has ended. When the context is full, its later half is read again as
// the new context. Throws what check() and encode_prompt() throw, before it emits anything; Error(interrupted) on a
// signal.
std::vector<Generation> generate(Ensemble& ensemble, const Tokenizer& tokenizer,
                                 const std::vector<std::string>& prompts, const GenerateSettings& settings,
                                 const EmitText& emit, const TakeGeneration& done = nullptr);

}  // namespace btm
