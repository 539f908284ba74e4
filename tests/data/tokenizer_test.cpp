// The tokenizer against `tokenizers` (ids made by tests/oracle/tokenizer_cases.py) and against itself.
#include "btm/data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/data/pretokenizer.h"
#include "btm/data/utf8.h"
#include "tests/data/records.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

fs::path case_folder(const std::string& name) {
  return test::oracle_folder() / name;
}
std::vector<std::string> texts_of(const std::string& name) {
  return test::read_texts(case_folder(name) / "texts.bin");
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  const std::string text = test::read(path);
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    lines.push_back(text.substr(at, text.find('\n', at) - at));
  }
  return lines;
}

std::string hash_of(const std::vector<TokenId>& ids) {
  return sha256_hex({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]});
}

class KindTest : public ::testing::TestWithParam<const char*> {};

TEST_P(KindTest, GivesTheIdsOfTokenizers) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder(GetParam()));
  const std::vector<std::string> texts = texts_of(GetParam());
  const auto expected = test::read_ids(case_folder(GetParam()) / "ids.bin");
  ASSERT_EQ(texts.size(), expected.size());
  ASSERT_GT(texts.size(), 2000u);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(tokenizer.encode(texts[i]), expected[i]) << "text " << i << ": " << texts[i].substr(0, 200);
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, KindTest,
                         ::testing::Values("gpt2", "llama3", "qwen2", "o200k", "whole", "digits", "runs", "removed",
                                           "kept", "classes", "before", "runs_of", "empty", "added"),
                         [](const auto& kind) { return std::string(kind.param); });

// The texts of block_text(), is_bulk() and is_empty() in the oracle.
bool is_empty(std::uint32_t value) {
  return (value >= 0x32000 && value < 0xe0000) || value >= 0xe1000;
}

bool is_bulk(std::uint32_t value) {
  return (value >= 0x3400 && value < 0xa000) || (value >= 0x17000 && value < 0x18d00) ||
         (value >= 0x20000 && value < 0x32000) || is_empty(value);
}

std::string block_text(std::uint32_t first) {
  std::string text, all;
  for (std::uint32_t value = first; value < first + 256; ++value) {
    if (value >= 0xd800 && value < 0xe000) continue;
    std::string character;
    append_utf8(value, character);
    all += character;
    text += "a" + character + "1" + character + " " + character + "'" + character + "\u0327 ";
  }
  return is_bulk(first) ? "a" + all + "1" + all : text;
}

class UnicodeTest : public ::testing::TestWithParam<const char*> {};

TEST_P(UnicodeTest, GivesTheIdsOfTokenizersForEveryScalarValue) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder(GetParam()));
  const std::vector<std::string> expected = lines_of(case_folder(GetParam()) / "unicode.txt");
  const bool all = expected.size() == 0x1100;
  std::size_t block = 0;
  for (std::uint32_t first = 0; first < 0x110000; first += 256) {
    if (!all && is_empty(first)) continue;
    ASSERT_LT(block, expected.size());
    EXPECT_EQ(hash_of(tokenizer.encode(block_text(first))), expected[block++]) << std::hex << "U+" << first << "...";
  }
  EXPECT_EQ(block, expected.size());
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, UnicodeTest,
                         ::testing::Values("gpt2", "llama3", "qwen2", "o200k", "kept", "classes"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(TokenizerTest, GivesTheIdsOfTokenizersForEveryScalarValueAlone) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder("qwen2"));
  const std::vector<std::string> expected = lines_of(case_folder("qwen2") / "alone.txt");
  std::size_t block = 0;
  for (std::uint32_t first = 0; first < 0x110000; first += 256) {
    if (is_empty(first)) continue;
    ASSERT_LT(block, expected.size());
    std::vector<TokenId> ids;
    for (std::uint32_t value = first; value < first + 256; ++value) {
      std::string character;
      if (value < 0xd800 || value >= 0xe000) append_utf8(value, character);
      tokenizer.encode(character, ids);
    }
    EXPECT_EQ(hash_of(ids), expected[block++]) << std::hex << "U+" << first << "...";
  }
  EXPECT_EQ(block, expected.size());
}

// The same steps with patterns that no scanner knows: PCRE2 cuts by them.
json with_regexes(json step) {
  const auto unknown = [](const std::string& pattern) { return "(?:" + pattern + ")"; };
  if (step.at("type") == "Sequence") {
    for (json& inner : step.at("pretokenizers")) inner = with_regexes(inner);
  } else if (step.at("type") == "Split") {
    step["pattern"]["Regex"] = unknown(step.at("pattern").at("Regex"));
  } else if (step.value("use_regex", true)) {
    const json split = {{"type", "Split"},
                        {"pattern", {{"Regex", unknown(std::string(regex_of(WordPattern::gpt2)))}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    step["use_regex"] = false;
    return {{"type", "Sequence"}, {"pretokenizers", {split, step}}};
  }
  return step;
}

TEST(TokenizerTest, ScannersCutAsTheRegexesDo) {
  for (const char* name : {"gpt2", "llama3", "qwen2"}) {
    const json file = json::parse(test::read(case_folder(name) / "tokenizer.json"));
    const PreTokenizer fast = PreTokenizer::parse(file.at("pre_tokenizer"), name);
    const PreTokenizer slow = PreTokenizer::parse(with_regexes(file.at("pre_tokenizer")), name);
    std::vector<std::string> texts = texts_of(name);
    for (std::uint32_t first = 0; first < 0x20000; first += 256) texts.push_back(block_text(first));
    for (const std::string& text : texts) {
      std::vector<std::string> by_scanner, by_regex;
      fast.split(text, [&](std::string_view word) { by_scanner.emplace_back(word); });
      slow.split(text, [&](std::string_view word) { by_regex.emplace_back(word); });
      ASSERT_EQ(by_scanner, by_regex) << name << ": " << text.substr(0, 200);
    }
  }
}

TEST(TokenizerTest, DecodesToTheTextAndCountsItsBytes) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder("gpt2"));
  for (const std::string& text : texts_of("gpt2")) {
    const std::vector<TokenId> ids = tokenizer.encode(text);
    ASSERT_EQ(tokenizer.decode(ids), text);
    const auto add = [&](std::size_t sum, TokenId id) {
      return sum + static_cast<std::size_t>(tokenizer.byte_length(id));
    };
    ASSERT_EQ(std::accumulate(ids.begin(), ids.end(), std::size_t{0}, add), text.size());
  }
}

TEST(TokenizerTest, LeavesSpecialTokensOutOfTextIfAsked) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder("llama3"));
  const std::vector<TokenId> ids = tokenizer.encode("a<|endoftext|>b");
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids[1], tokenizer.end_of_text());
  EXPECT_EQ(tokenizer.vocab_size(), tokenizer.end_of_text() + 1);
  EXPECT_EQ(tokenizer.byte_length(ids[1]), 0);
  EXPECT_EQ(tokenizer.decode(ids), "ab");
  EXPECT_EQ(tokenizer.decode(ids, false), "a<|endoftext|>b");
  EXPECT_THROW(tokenizer.decode(std::vector<TokenId>{-1}), Error);
  EXPECT_THROW(tokenizer.decode(std::vector<TokenId>{tokenizer.vocab_size()}), Error);
}

TEST(TokenizerTest, HasNoEndOfTextWhereTheFileHasNone) {
  EXPECT_EQ(Tokenizer::load(case_folder("whole")).end_of_text(), -1);
}

TEST(TokenizerTest, EncodesOnAnyNumberOfThreadsAlike) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder("qwen2"));
  const std::vector<std::string> texts = texts_of("qwen2");
  const auto expected = test::read_ids(case_folder("qwen2") / "ids.bin");
  for (const int threads : {1, 2, 5}) EXPECT_EQ(encode_all(tokenizer, texts, threads), expected);
  EXPECT_THROW(encode_all(tokenizer, std::vector<std::string>{"a", "\xff"}, 2), Error);
}

TEST(TokenizerTest, IsNotQuadraticInTheLengthOfAWord) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder("gpt2"));
  std::string word;
  for (int i = 0; i < 1'000'000; ++i) word += static_cast<char>('a' + (i * 2654435761u >> 13) % 26);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(word)), word);
}

TEST(TokenizerTest, SavesWhatItRead) {
  const test::TemporaryFolder folder;
  const Tokenizer tokenizer = Tokenizer::load(case_folder("llama3"));
  tokenizer.save(folder / "made");
  EXPECT_EQ(test::read(folder / "made" / "tokenizer.json"), tokenizer.json());
  EXPECT_EQ(Tokenizer::load(folder / "made" / "tokenizer.json").sha256(), tokenizer.sha256());
  const json config = json::parse(test::read(folder / "made" / "tokenizer_config.json"));
  EXPECT_EQ(config.at("eos_token"), "<|endoftext|>");
}

TEST(TokenizerTest, KeepsTheConfigBesideTheFile) {
  const test::TemporaryFolder folder;
  const std::string config = R"({"eos_token": {"content": "[MASK]"}, "chat_template": "x"})";
  json file = json::parse(test::read(case_folder("added") / "tokenizer.json"));
  std::erase_if(file.at("added_tokens").get_ref<json::array_t&>(),
                [](const json& token) { return token.at("content") == "<|endoftext|>"; });
  folder.write("tokenizer.json", file.dump());
  folder.write("tokenizer_config.json", config);
  folder.write("chat_template.jinja", "{{ messages }}");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.decode(std::vector{tokenizer.end_of_text()}, false), "[MASK]");
  tokenizer.save(folder / "copy");
  EXPECT_EQ(test::read(folder / "copy" / "tokenizer_config.json"), config);
  EXPECT_EQ(test::read(folder / "copy" / "chat_template.jinja"), "{{ messages }}");
  for (const auto& [written, saved] : {std::pair("1024", "64"), {"48", "48"}, {"1e30", "1e30"}}) {
    folder.write("tokenizer_config.json", fmt::format(R"({{"model_max_length":{}}})", written));
    Tokenizer::load(folder.path()).save(folder / "copy", 64);
    EXPECT_EQ(json::parse(test::read(folder / "copy" / "tokenizer_config.json"))["model_max_length"],
              json::parse(saved));
  }
  folder.write("tokenizer_config.json", R"({"eos_token": {"content": 5}})");
  EXPECT_EQ(Tokenizer::load(folder.path()).end_of_text(), kNoToken);
  folder.write("tokenizer_config.json", "[");
  EXPECT_THROW(Tokenizer::load(folder.path()), Error);
}

TEST(TokenizerTest, RefusesTextThatIsNotUtf8) {
  const Tokenizer tokenizer = Tokenizer::load(case_folder("gpt2"));
  for (const char* bad :
       {"\xff", "abcdefgh\x80", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3("}) {
    EXPECT_THROW(tokenizer.encode(bad), Error) << bad;
  }
}

std::string error_of(const std::string& text) {
  try {
    Tokenizer::parse(text, "some/tokenizer.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.cause(), Cause::input);
    EXPECT_THAT(error.what(), ::testing::StartsWith("some/tokenizer.json"));
    return error.what();
  }
  return "no error";
}

TEST(TokenizerTest, SaysWhatIsWrongWithABrokenFile) {
  const std::string good = test::read(case_folder("llama3") / "tokenizer.json");
  EXPECT_THAT(error_of(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of(good.substr(0, good.size() / 2)), HasSubstr("is the file whole?"));
  EXPECT_THAT(error_of("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("no `model`"));
  EXPECT_THAT(error_of("{\"model\": 3}"), HasSubstr("wrong type"));
  EXPECT_THROW(Tokenizer::load("no/such/folder"), Error);
}

struct Change {
  const char* at;     // JSON pointer
  const char* value;  // JSON
  const char* error;
};

TEST(TokenizerTest, SaysWhichPartIsNotSupported) {
  json good = json::parse(test::read(case_folder("train") / "runs" / "tokenizer.json"));  // a small one
  good["pre_tokenizer"] = json::parse(test::read(case_folder("llama3") / "tokenizer.json")).at("pre_tokenizer");
  const std::vector<Change> changes = {
      {"/model/type", R"("WordPiece")", "model type `WordPiece`"},
      {"/model/dropout", "0.1", "model.dropout"},
      {"/model/byte_fallback", "true", "model.byte_fallback"},
      {"/model/end_of_word_suffix", R"("</w>")", "model.end_of_word_suffix"},
      {"/model/continuing_subword_prefix", R"("##")", "model.continuing_subword_prefix"},
      {"/model/vocab/x", "-1", "the id -1"},
      {"/model/vocab/x", "16777215", "the id 16777215"},
      {"/model/vocab/no such", "7", "the id 7"},
      {"/model/merges/0", R"(["x", "no such"])", "model.vocab lacks"},
      {"/model/merges/0", R"("a b c")", "not a pair"},
      {"/model/merges/0", "7", "not a pair"},
      {"/normalizer", R"({"type": "NFKC"})", "normalizer `NFKC`"},
      {"/pre_tokenizer", "null", "pre_tokenizer"},
      {"/pre_tokenizer", R"({"type": "Metaspace"})", "`Metaspace` is not supported"},
      {"/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": []})", "no ByteLevel step"},
      {"/pre_tokenizer/pretokenizers/1", R"({"type": "Digits"})", "must be ByteLevel"},
      {"/pre_tokenizer/pretokenizers/0/behavior", R"("Sideways")", "Sideways"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"json("(a")json", "bad regex"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("^a")", "`^` is not supported"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"x("(?i:graSs)")x", "`Ss` is not supported"},
      {"/model/type", R"("Unigram")", "`Unigram` is not supported"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("\\p{Greek}")", R"(`\p{Greek}`)"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("\\h")", R"(`\h`)"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"json("(?m:a)")json", "(?m:"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("a{,3}")", "{,3}"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("[a&&b]")", "&&"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("[a")", "it has no end"},
      {"/added_tokens/0/content", "5", "wrong type"},
  };
  for (const auto& [at, value, error] : changes) {
    json changed = good;
    changed[json::json_pointer(at)] = json::parse(value);
    EXPECT_THAT(error_of(changed.dump()), HasSubstr(error)) << at;
  }
}

}  // namespace
}  // namespace btm
