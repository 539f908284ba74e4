// Training against `tokenizers`' BpeTrainer (files made by tests/oracle/tokenizer_cases.py).
#include "btm/data/bpe_train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "btm/core/error.h"
#include "tests/data/records.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TextSource source_of(const std::vector<std::string>& texts) {
  return [&texts](const std::function<void(std::string_view)>& take) {
    for (const std::string& text : texts) take(text);
  };
}

std::filesystem::path sample_folder(const std::string& name) {
  return test::oracle_folder() / "train" / name;
}

class SampleTest : public ::testing::TestWithParam<const char*> {};

TEST_P(SampleTest, GivesTheFileOfTokenizers) {
  const auto texts = test::read_texts(sample_folder(GetParam()) / "texts.bin");
  const json expected = json::parse(test::read(sample_folder(GetParam()) / "tokenizer.json"));
  const int vocab_size = static_cast<int>(expected.at("model").at("vocab").size()) + 1;
  const Tokenizer tokenizer = train_bpe(source_of(texts), vocab_size, 2);
  const json made = json::parse(tokenizer.json());
  const auto& merges = made.at("model").at("merges");
  ASSERT_EQ(merges.size(), expected.at("model").at("merges").size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    ASSERT_EQ(merges[i], expected.at("model").at("merges")[i]) << "merge " << i;
  }
  for (const auto& [part, value] : expected.items()) EXPECT_EQ(made.at(part), value) << part;
  EXPECT_EQ(tokenizer.vocab_size(), vocab_size);
  EXPECT_EQ(tokenizer.end_of_text(), vocab_size - 1);
}

INSTANTIATE_TEST_SUITE_P(BpeTrain, SampleTest, ::testing::Values("real", "runs"),
                         [](const auto& sample) { return std::string(sample.param); });

TEST(BpeTrainTest, DoesNotDependOnThreadsOrOrder) {
  auto texts = test::read_texts(sample_folder("real") / "texts.bin");
  const std::string expected = train_bpe(source_of(texts), 1000, 1).json();
  std::ranges::reverse(texts);
  EXPECT_EQ(train_bpe(source_of(texts), 1000, 5).json(), expected);
}

TEST(BpeTrainTest, WritesTheConfigThatTransformersReads) {
  const test::TemporaryFolder folder;
  const std::vector<std::string> texts = {"to be or not to be"};
  train_bpe(source_of(texts), 258, 1).save(folder.path());
  const json expected = json::parse(test::read(sample_folder("real") / "tokenizer_config.json"));
  EXPECT_EQ(json::parse(test::read(folder / "tokenizer_config.json")), expected);
}

std::string error_of(const std::vector<std::string>& texts, int vocab_size) {
  try {
    train_bpe(source_of(texts), vocab_size, 2);
  } catch (const Error& error) {
    EXPECT_EQ(error.cause(), Cause::input);
    return error.what();
  }
  return "no error";
}

TEST(BpeTrainTest, SaysHowLargeAVocabularyTheTextGives) {
  EXPECT_THAT(error_of({"abc"}, 1000), HasSubstr("gives at most 259"));  // ab, abc
  EXPECT_THAT(error_of({"abc"}, 259), HasSubstr("no error"));
  EXPECT_THAT(error_of({}, 258), HasSubstr("gives at most 257"));
  EXPECT_THAT(error_of({}, 257), HasSubstr("no error"));
  EXPECT_THAT(error_of({"abc"}, 256), HasSubstr("need 257"));
  EXPECT_THAT(error_of({"abc", "\xff"}, 300), HasSubstr("text 2"));
}

}  // namespace
}  // namespace btm
