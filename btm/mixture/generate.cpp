#include "btm/mixture/generate.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/interrupt.h"
#include "btm/model/transformer.h"

namespace btm {

namespace {

std::vector<TokenId> encode_prompt(const Model& model, const Tokenizer& tokenizer, const std::string& prompt) {
  if (prompt.empty()) throw input_error("the prompt is empty; give some text to go on from");
  std::vector<TokenId> tokens = tokenizer.encode(prompt);
  auto context = static_cast<std::size_t>(model.config.context);
  if (tokens.size() > context) {
    throw input_error("the prompt has {} tokens, but the model sees {} at once; shorten it", tokens.size(), context);
  }
  if (TokenId highest = *std::max_element(tokens.begin(), tokens.end()); highest >= model.config.vocab_size) {
    throw input_error("the prompt has token {}, but the model's vocabulary ends at {}: another tokenizer", highest,
                      model.config.vocab_size - 1);
  }
  return tokens;
}

}  // namespace

Generation generate(const Model& model, const Tokenizer& tokenizer, const std::string& prompt,
                    const GenerateSettings& settings, const TextStream::Emit& emit) {
  if (settings.tokens < 1) throw input_error("tokens is {}, but must be at least 1", settings.tokens);
  Sampler sampler(settings.sampler);
  Generation result{encode_prompt(model, tokenizer, prompt), {}, {}, "tokens"};
  TextStream stream(settings.stop, [&](std::string_view text) {
    result.text += text;
    emit(text);
  });
  Decoder decoder(model);
  std::vector<TokenId> history = result.prompt;
  std::span<const float> logits = decoder.append(history);
  while (true) {
    throw_if_interrupted();
    TokenId token = sampler.next(logits, history);
    if (token == tokenizer.end_of_text()) {
      result.reason = "end_of_text";
      break;
    }
    history.push_back(token);
    result.tokens.push_back(token);
    if (stream.add(tokenizer.decode(std::span(&token, 1)))) {
      result.reason = "stop";
      break;
    }
    if (static_cast<std::int64_t>(result.tokens.size()) == settings.tokens) break;
    if (decoder.length() < model.config.context) {
      logits = decoder.append(std::span(&token, 1));
    } else {
      decoder.reset();
      logits = decoder.append(std::span(history).last(static_cast<std::size_t>(std::max(1, model.config.context / 2))));
    }
  }
  stream.finish();
  return result;
}

}  // namespace btm
