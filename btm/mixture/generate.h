// Text from one language model, with its key/value cache.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "btm/data/tokenizer.h"
#include "btm/mixture/sampler.h"
#include "btm/mixture/text_stream.h"
#include "btm/model/parameters.h"

namespace btm {

struct GenerateSettings {
  std::int64_t tokens = 100;
  SamplerSettings sampler;
  std::vector<std::string> stop;  // end before any of these texts; not in visit: they may hold commas
};
template <class F>
void visit(GenerateSettings& s, F&& f) {
  f("tokens", s.tokens, "to generate at most");
  visit(s.sampler, f);
}

struct Generation {
  std::vector<TokenId> prompt, tokens;
  std::string text;    // generated, valid UTF-8, without the prompt
  std::string reason;  // why it ended: tokens, end_of_text, stop
};

// Hands the text to `emit` as it grows. When the context is full, its later half is read again as the new context.
// Throws Error(input): empty prompt, prompt longer than the context, settings out of range; Error(interrupted) on a
// signal.
Generation generate(const Model& model, const Tokenizer& tokenizer, const std::string& prompt,
                    const GenerateSettings& settings, const TextStream::Emit& emit);

}  // namespace btm
