#include "btm/mixture/evaluation_texts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "btm/core/hash.h"
#include "btm/data/split.h"
#include "btm/data/tokenizer.h"
#include "tests/mixture/planted_forest.h"

namespace btm {
namespace {

using test::evaluate, test::plant, test::row_of, test::settings_of;

struct EvaluationTexts : test::PlantedForest {};

TEST_F(EvaluationTexts, TakesTextThatIsNotInThePlan) {
  plant(paths_, cases_);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "some words of no domain " + std::to_string(i * 7919 % 1000) + "\n";
  fs::path file = folder_.write("other.txt", text);
  Json evaluation = evaluate(paths_, settings_of(cases_), 1, {{"other", file.string()}});
  EXPECT_EQ(evaluation["domains"]["other"]["role"], "novel");
  EXPECT_EQ(evaluation["domains"]["other"]["tokens"], cases_["test_tokens"]);
  EXPECT_TRUE(row_of(evaluation, "ensemble")["domains"].contains("other"));
  fs::path tiny = folder_.write("tiny.txt", "a");
  EXPECT_NO_THROW(evaluate(paths_, settings_of(cases_), 1, {{"tiny", tiny.string()}}));
  EXPECT_THROW(evaluate(paths_, settings_of(cases_), 1, {{"a", file.string()}}), Error);
  EXPECT_THROW(evaluate(paths_, settings_of(cases_), 1, {{"none", (folder_ / "none.txt").string()}}), Error);
}

TEST_F(EvaluationTexts, OfItsOwnTextTestDocumentsAreScored) {
  plant(paths_, cases_);
  const Tokenizer tokenizer = Tokenizer::load(paths_.tokenizer());
  const std::size_t end = tokenizer.end_of_text() >= 0 ? 1 : 0;
  std::string lines;
  std::int64_t tokens = 0, documents = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string text = "document " + std::to_string(i) + " has some words";
    lines += Json{{"text", text}}.dump() + "\n";
    if (split_of(sha256_hex(text)) != Split::test) continue;
    tokens += static_cast<std::int64_t>(tokenizer.encode(text).size() + end);
    ++documents;
  }
  ASSERT_GT(documents, 40);
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble"};
  settings.tokens_per_domain = 1 << 20;
  const fs::path file = folder_.write("other.jsonl", lines);
  EXPECT_EQ(evaluate(paths_, settings, 1, {{"other", file.string()}})["domains"]["other"]["tokens"], tokens - 1);
}

TEST_F(EvaluationTexts, DocumentsOfALongTextAreTakenOnceEachToTheirSide) {
  plant(paths_, cases_, {});
  const Tokenizer tokenizer = Tokenizer::load(paths_.tokenizer());
  EvaluateSettings settings;
  settings.dev_sequences = 1000;
  settings.tokens_per_domain = 200'000;
  std::string lines;
  std::map<Split, std::vector<TokenId>> expected;
  for (int i = 0; i < 5000; ++i) {  // 5 MB: more than is encoded at a time, and than a text laid end to end takes
    std::string text = "document " + std::to_string(i);
    while (text.size() < 1000) text += " has some words";
    lines += Json{{"text", text}}.dump() + "\n";
    const Split split = split_of(sha256_hex(text));
    if (split == Split::train) continue;
    tokenizer.encode(text, expected[split]);
    if (tokenizer.end_of_text() >= 0) expected[split].push_back(tokenizer.end_of_text());
  }
  const fs::path file = folder_.write("long.jsonl", lines);
  const auto loaded = load_texts(paths_, tokenizer, settings, {}, {{"long", file.string()}}, 16, 2);
  ASSERT_LE(expected[Split::test].size(), 200'001u);
  EXPECT_TRUE(loaded.at(0).test.tokens == expected[Split::test]);
  expected[Split::dev].resize(std::min<std::size_t>(expected[Split::dev].size(), 16'001));
  EXPECT_TRUE(loaded.at(0).dev.tokens == expected[Split::dev]);
}

TEST_F(EvaluationTexts, OfATextLaidEndToEndTheTestBeginsBehindTheDevSample) {
  plant(paths_, cases_, {});
  const Tokenizer tokenizer = Tokenizer::load(paths_.tokenizer());
  EvaluateSettings settings;
  settings.dev_sequences = 5;
  settings.tokens_per_domain = 200;
  std::string text;
  for (int i = 0; i < 300; ++i) text += "words " + std::to_string(i * 7919 % 1000) + " ";
  const fs::path file = folder_.write("one.jsonl", Json{{"text", text}}.dump() + "\n");
  const DomainTexts texts = load_texts(paths_, tokenizer, settings, {}, {{"one", file.string()}}, 16, 1).at(0);
  std::vector<TokenId> both = texts.dev.tokens, expected = tokenizer.encode(text);
  both.insert(both.end(), texts.test.tokens.begin(), texts.test.tokens.end());
  expected.resize(5 * 16 + 1 + 201);
  EXPECT_EQ(texts.dev.tokens.size(), 81u);
  EXPECT_EQ(both, expected);
}

}  // namespace
}  // namespace btm
