// Text of one model against transformers' generate().
#include "btm/mixture/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "btm/core/error.h"
#include "btm/model/checkpoint.h"
#include "tests/mixture/generate_cases.h"

namespace btm {
namespace {

using test::cases;
using test::greedy;
using test::ids;
using test::ignore;
using test::member;
using test::tokenizer_of;
using ::testing::HasSubstr;

Generation generate_one(const std::string& name, const std::string& prompt, const GenerateSettings& settings,
                        const EmitText& emit = ignore) {
  Ensemble ensemble({member(name)}, {{1.0}}, {});
  return generate(ensemble, tokenizer_of(name), {prompt}, settings, emit).front();
}

TEST(Generate, GreedyOfOneModelEqualsTransformers) {
  const Json greedy_cases = cases()["greedy"];
  for (const auto& [name, prompts] : greedy_cases.items()) {
    int context = load_config(test::oracle_folder() / name).context;
    for (const Json& c : prompts) {
      std::size_t prompt = tokenizer_of(name).encode(c["prompt"].get<std::string>()).size();
      GenerateSettings settings = greedy(context - static_cast<std::int64_t>(prompt));
      settings.sampler.repetition_penalty = c["repetition_penalty"];
      std::string streamed;
      Generation out =
          generate_one(name, c["prompt"], settings, [&](std::size_t, std::string_view text, int) { streamed += text; });
      EXPECT_EQ(ids(out), c["tokens"].get<std::vector<TokenId>>()) << name << c["prompt"];
      EXPECT_EQ(out.text, c["text"].get<std::string>());
      EXPECT_EQ(out.text, streamed);
    }
  }
}

TEST(Generate, AutoKeepsTheFormatOfTheCheckpoint) {
  const std::string prompt = "nub";
  auto text = [&](const std::string& name, GenerationPrecision precision) {
    Ensemble ensemble({member(name)}, {{1.0}}, {.precision = precision});
    ensemble.begin(0, tokenizer_of(name).encode(prompt));
    auto scores = ensemble.scores(0);
    return std::vector<float>(scores.begin(), scores.end());
  };
  EXPECT_EQ(text("gpt2_bf16", GenerationPrecision::automatic), text("gpt2_bf16", GenerationPrecision::bf16));
  EXPECT_EQ(text("gpt2", GenerationPrecision::automatic), text("gpt2", GenerationPrecision::fp32));
  EXPECT_NE(text("gpt2", GenerationPrecision::automatic), text("gpt2", GenerationPrecision::bf16));
}

TEST(Generate, GoesOnPastTheContextFromItsLaterHalf) {
  Generation out = generate_one("gpt2", "nub", greedy(60));
  ASSERT_EQ(out.tokens.size(), 60u) << "ended by " << out.reason;
  // The first token after the context was full: that of the later half alone.
  std::vector<TokenId> all = out.prompt, generated = ids(out);
  all.insert(all.end(), generated.begin(), generated.end());
  Model model = load_model(test::oracle_folder() / "gpt2");
  auto context = static_cast<std::size_t>(model.config.context);
  std::vector<TokenId> half(all.begin() + static_cast<std::ptrdiff_t>(context + 1 - context / 2),
                            all.begin() + static_cast<std::ptrdiff_t>(context + 1));
  Decoder decoder(model);
  Sampler sampler(greedy(1).sampler);
  EXPECT_EQ(sampler.next(decoder.append(half), {}), all[context + 1]);
}

TEST(Generate, TakesAPromptThatFillsTheContext) {
  Model model = load_model(test::oracle_folder() / "gpt2");
  const auto context = static_cast<std::size_t>(model.config.context);
  const std::string prompt(context, '7');  // a token each: the tokenizer saw no digits
  const Generation out = generate_one("gpt2", prompt, greedy(2));
  ASSERT_EQ(out.prompt.size(), context);
  ASSERT_EQ(out.tokens.size(), 2u) << "ended by " << out.reason;
  Sampler sampler(greedy(1).sampler);
  EXPECT_EQ(sampler.next(Decoder(model).append(out.prompt), {}), ids(out)[0]);
  std::vector<TokenId> half(out.prompt.end() - static_cast<std::ptrdiff_t>(context / 2 - 1), out.prompt.end());
  half.push_back(ids(out)[0]);
  EXPECT_EQ(sampler.next(Decoder(model).append(half), {}), ids(out)[1]);
  EXPECT_THROW(generate_one("gpt2", prompt + "7", greedy(2)), Error);
}

TEST(Generate, StopsAtAStopString) {
  Generation whole = generate_one("llama", "nub", greedy(12));
  ASSERT_GT(whole.text.size(), 6u);
  GenerateSettings settings = greedy(12);
  settings.stop = {"if,"};
  Generation out = generate_one("llama", "nub", settings);
  ASSERT_NE(whole.text.find("if,"), std::string::npos);
  EXPECT_EQ(out.text, whole.text.substr(0, whole.text.find("if,")));
  EXPECT_EQ(out.reason, "stop");
}

TEST(Generate, StopsAtAnyOfTheModelsEndTokens) {
  const std::vector<TokenId> whole = ids(generate_one("llama", "nub", greedy(12)));
  GenerateSettings settings = greedy(12);
  settings.end_tokens = {whole[5], kNoToken};
  const Generation out = generate_one("llama", "nub", settings);
  const auto end = std::ranges::find(whole, whole[5]);
  EXPECT_EQ(ids(out), std::vector(whole.begin(), end));
  EXPECT_EQ(out.reason, "end_of_text");
}

TEST(Generate, IdsBeyondTheTokenizerStandForNoText) {
  test::TemporaryFolder folder;
  ModelConfig padded = load_config(test::oracle_folder() / "gpt2");
  padded.vocab_size *= 4;
  save_model(folder.path(), random_model(padded, 1), kNoToken);
  Ensemble ensemble({single_member("padded", folder.path(), "")}, {{1.0}}, {});
  Tokenizer tokenizer = tokenizer_of("gpt2");
  GenerateSettings settings;
  settings.tokens = 40;
  Generation out = generate(ensemble, tokenizer, {"nub"}, settings, ignore).front();
  auto tokens = ids(out);
  EXPECT_GT(*std::max_element(tokens.begin(), tokens.end()), tokenizer.vocab_size());
  std::erase_if(tokens, [&](TokenId id) { return id >= tokenizer.vocab_size(); });
  EXPECT_LE(out.text.size(), 3 * tokenizer.decode(tokens).size());  // U+FFFD has three bytes
}

TEST(Generate, RefusesPromptsThatCannotBe) {
  EXPECT_THROW(generate_one("gpt2", "", greedy(5)), Error);
  EXPECT_THROW(generate_one("gpt2", std::string(400, 'x'), greedy(5)), Error);
  EXPECT_THROW(generate_one("gpt2", "nub", greedy(0)), Error);
}

// As byte-level tokenizers have that were trained without the whole alphabet.
TEST(Generate, RefusesAPromptWithoutTokens) {
  const Tokenizer tokenizer = Tokenizer::parse(
      R"({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
          "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}})",
      "tokenizer.json");
  Ensemble ensemble({member("gpt2")}, {{1.0}}, {});
  EXPECT_EQ(encode_prompt(ensemble, tokenizer, "ca\u00e9b"), (std::vector<TokenId>{0, 1}));
  EXPECT_THROW(encode_prompt(ensemble, tokenizer, "\u00e9"), Error);
}

TEST(Generate, AllPromptsAreCheckedBeforeAnythingIsEmitted) {
  Ensemble ensemble({member("gpt2")}, {{1.0}}, {});
  const Tokenizer tokenizer = tokenizer_of("gpt2");
  EXPECT_EQ(encode_prompt(ensemble, tokenizer, "nub"), tokenizer.encode("nub"));
  std::string emitted;
  const auto emit = [&](std::size_t, std::string_view text, int) { emitted += text; };
  EXPECT_THROW(generate(ensemble, tokenizer, {"nub", ""}, greedy(5), emit), Error);
  EXPECT_EQ(emitted, "");
}

}  // namespace
}  // namespace btm
