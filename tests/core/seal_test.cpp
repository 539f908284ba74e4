#include "btm/core/seal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/core/hash.h"
#include "btm/core/settings.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using ::testing::HasSubstr;

struct Example {
  const char* path;
  const char* text;
};

constexpr Example kExamples[] = {
    {"evaluation.json", "{\n  \"domains\": {},\n  \"rows\": []\n}\n"},
    {"evaluation.md", "# Evaluation\n\n| model |\n"},
    {"forest.yaml", "forest: runs/demo\nseed:\n  tokens: 4000000\n"},
    {"SHA256SUMS", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty.txt\n"},
};

class SealedFile : public testing::TestWithParam<Example> {};

TEST_P(SealedFile, ItsSealIsALineWithTheHashOfAllOthers) {
  const std::string bytes = sealed(GetParam().path, GetParam().text);
  EXPECT_EQ(check_seal(bytes), Seal::whole);
  EXPECT_EQ(unsealed(bytes), GetParam().text);
  EXPECT_THAT(bytes, HasSubstr(sha256_hex(GetParam().text)));
}

TEST_P(SealedFile, IsReadAsBefore) {
  if (std::string_view(GetParam().path).ends_with(".json")) {
    Json json = Json::parse(sealed(GetParam().path, GetParam().text));
    EXPECT_EQ(json.erase("file_sha256"), 1u);
    EXPECT_EQ(json, Json::parse(GetParam().text));
  }
  if (std::string_view(GetParam().path).ends_with(".yaml")) {
    EXPECT_EQ(parse_yaml(sealed(GetParam().path, GetParam().text), "sealed").size(), 2u);
  }
}

TEST_P(SealedFile, AnyChangedByteBreaksIt) {
  const std::string whole = sealed(GetParam().path, GetParam().text);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char value :
         {'\0', '\n', ' ', '#', '"', '0', 'a', static_cast<char>(whole[i] ^ 1), static_cast<char>(whole[i] ^ 0x20)}) {
      if (value == whole[i]) continue;
      std::string bytes = whole;
      bytes[i] = value;
      EXPECT_EQ(check_seal(bytes), Seal::broken) << i << ": " << bytes;
    }
  }
}

TEST(EnsureSealedFile, WritesOnlyWhatDiffers) {
  test::TemporaryFolder folder;
  const fs::path file = folder / "forest.yaml";
  const auto rewritten = [&](std::string_view text) {
    fs::last_write_time(file, fs::file_time_type{});
    ensure_sealed_file(file, text);
    EXPECT_EQ(read_file(file), sealed(file, text));
    return fs::last_write_time(file) != fs::file_time_type{};
  };
  ensure_sealed_file(file, "forest: runs/demo\n");  // not there yet
  EXPECT_FALSE(rewritten("forest: runs/demo\n"));
  EXPECT_TRUE(rewritten("forest: runs/other\n"));
  write_file(file, "forest: runs/other\n");  // as an older version left it
  EXPECT_TRUE(rewritten("forest: runs/other\n"));
}

INSTANTIATE_TEST_SUITE_P(Forms, SealedFile, testing::ValuesIn(kExamples), [](const auto& test) {
  return fs::path(test.param.path).extension().string().substr(test.param.path[0] == 'S' ? 0 : 1) +
         (test.param.path[0] == 'S' ? "sums" : "");
});

TEST(Seal, WithoutOneIsNeitherWholeNorBroken) {
  const std::string run = "name: python\ninit: runs/demo/seed\ninit_sha256: " + sha256_hex("") + "\n";
  for (const std::string text :
       {kExamples[0].text, kExamples[1].text, kExamples[2].text, kExamples[3].text, "", "{\n", run.c_str()}) {
    EXPECT_EQ(check_seal(text), Seal::none) << text;
    EXPECT_EQ(unsealed(text), text);
  }
}

TEST(Seal, OfAFileThatWasCutIsBroken) {
  const std::string whole = sealed("forest.yaml", kExamples[2].text);
  for (std::size_t size = whole.find(':'); size < whole.size(); ++size) {
    EXPECT_NE(check_seal(whole.substr(0, size)), Seal::whole) << size;
  }
}

TEST(LineSeal, AnyChangedByteIsFound) {
  const std::string object = R"({"edit":"merge","weight":0.7})", whole = sealed_line(object);
  EXPECT_EQ(check_line_seal(whole), Seal::whole);
  EXPECT_EQ(check_line_seal(object), Seal::none);
  EXPECT_EQ(unsealed_line(whole), object);
  EXPECT_EQ(Json::parse(whole)["line_sha256"], sha256_hex(object));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string line = whole;
    line[i] = static_cast<char>(line[i] ^ 1);
    if (check_line_seal(line) == Seal::broken) continue;
    // Only the name of the seal may be what is lost: then it is a key that nobody knows, or no JSON.
    const Json json = Json::parse(line, nullptr, false);
    EXPECT_TRUE(check_line_seal(line) == Seal::none && (json.is_discarded() || !json.contains("line_sha256"))) << line;
  }
}

}  // namespace
}  // namespace btm
