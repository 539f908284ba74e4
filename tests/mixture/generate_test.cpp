#include "btm/mixture/generate.h"

#include <gtest/gtest.h>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/settings.h"
#include "btm/model/checkpoint.h"
#include "btm/model/transformer.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

struct Source {
  Model model;
  Tokenizer tokenizer;
};

Source load(const std::string& name) {
  auto folder = test::oracle_folder() / name;
  return {load_model(folder), Tokenizer::load(folder)};
}

GenerateSettings greedy(std::int64_t tokens) {
  GenerateSettings settings;
  settings.tokens = tokens;
  settings.sampler.temperature = 0;
  return settings;
}

void ignore(std::string_view) {}

TEST(Generate, GreedyEqualsTransformers) {
  Json cases = Json::parse(read_file(test::oracle_folder() / "cases.json"))["greedy"];
  for (const auto& [name, prompts] : cases.items()) {
    Source source = load(name);
    for (const Json& c : prompts) {
      auto expected = c["tokens"].get<std::vector<TokenId>>();
      std::size_t prompt = source.tokenizer.encode(c["prompt"].get<std::string>()).size();
      GenerateSettings settings = greedy(source.model.config.context - static_cast<std::int64_t>(prompt));
      settings.sampler.repetition_penalty = c["repetition_penalty"];
      std::string streamed;
      Generation out = generate(source.model, source.tokenizer, c["prompt"], settings,
                                [&](std::string_view text) { streamed += text; });
      EXPECT_EQ(out.tokens, expected) << name << c["prompt"];
      EXPECT_EQ(out.text, c["text"].get<std::string>());
      EXPECT_EQ(out.text, streamed);
    }
  }
}

TEST(Generate, GoesOnPastTheContextFromItsLaterHalf) {
  Source source = load("gpt2");
  Generation out = generate(source.model, source.tokenizer, "nub", greedy(60), ignore);
  if (out.reason == "end_of_text") GTEST_SKIP() << "the model ended its text";
  ASSERT_EQ(out.tokens.size(), 60u);
  // The first token after the context was full: that of the later half alone.
  std::vector<TokenId> all = out.prompt;
  all.insert(all.end(), out.tokens.begin(), out.tokens.end());
  auto context = static_cast<std::size_t>(source.model.config.context);
  std::vector<TokenId> half(all.begin() + static_cast<std::ptrdiff_t>(context + 1 - context / 2),
                            all.begin() + static_cast<std::ptrdiff_t>(context + 1));
  Decoder decoder(source.model);
  Sampler sampler(greedy(1).sampler);
  EXPECT_EQ(sampler.next(decoder.append(half), {}), all[context + 1]);
}

TEST(Generate, StopsAtAStopString) {
  Source source = load("llama");
  Generation whole = generate(source.model, source.tokenizer, "nub", greedy(12), ignore);
  ASSERT_GT(whole.text.size(), 6u);
  GenerateSettings settings = greedy(12);
  settings.stop = {"if,"};
  Generation out = generate(source.model, source.tokenizer, "nub", settings, ignore);
  std::size_t at = whole.text.find("if,");
  EXPECT_EQ(out.text, whole.text.substr(0, at));
  EXPECT_EQ(out.reason, at == std::string::npos ? "tokens" : "stop");
}

TEST(Generate, RefusesPromptsThatCannotBe) {
  Source source = load("gpt2");
  EXPECT_THROW(generate(source.model, source.tokenizer, "", greedy(5), ignore), Error);
  EXPECT_THROW(generate(source.model, source.tokenizer, std::string(400, 'x'), greedy(5), ignore), Error);
  EXPECT_THROW(generate(source.model, source.tokenizer, "nub", greedy(0), ignore), Error);
}

}  // namespace
}  // namespace btm
