#include "btm/data/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "btm/data/sample.h"
#include "tests/data/data_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string json_lines(const std::vector<std::string>& texts) {
  std::string lines;
  for (const std::string& text : texts) lines += Json{{"text", text}}.dump() + "\n";
  return lines;
}

std::vector<std::string> numbered(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(fmt::format("document {}", i));
  return texts;
}

struct Result {
  DomainReport report;
  std::vector<std::string> texts;       // in the order they came
  std::map<std::string, Split> splits;  // by text
};

TextSettings settings_for(const std::vector<std::filesystem::path>& paths) {
  TextSettings settings;
  for (const auto& path : paths) settings.text.push_back(path.string());
  return settings;
}

Result read_domain(const std::vector<std::filesystem::path>& paths, const std::string& delimiter = {}) {
  TextSettings settings = settings_for(paths);
  settings.split_documents_on = delimiter;
  Result result;
  read_documents(settings, "d", result.report, [&](std::string&& text, const std::string&, Split split) {
    result.texts.push_back(text);
    result.splits[text] = split;
  });
  return result;
}

int count(const Result& result, Split split) {
  return static_cast<int>(std::ranges::count_if(result.splits, [&](const auto& item) { return item.second == split; }));
}

TEST(Documents, SplitByTheirHashAsPythonComputesIt) {
  test::TemporaryFolder folder;
  const Json cases = test::data_cases();
  const Result result = read_domain({folder.write("a.jsonl", json_lines(numbered(1000)))});
  ASSERT_EQ(result.texts, numbered(1000));
  const std::map<std::string, Split> names = {{"train", Split::train}, {"dev", Split::dev}, {"test", Split::test}};
  for (const Json& item : cases["documents"]) {
    EXPECT_EQ(result.splits.at(item["text"]), names.at(item["split"])) << item;
    EXPECT_EQ(split_of(item["sha256"].get<std::string>()), names.at(item["split"])) << item;
  }
  EXPECT_EQ(result.report.text_sha256, cases["text_sha256"].get<std::string>());
}

TEST(Documents, AreLeftOutAndCounted) {
  test::TemporaryFolder folder;
  const auto a =
      folder.write("a.jsonl", json_lines({"one", "", "two", "one", " \n\t", "\u3000"}) + "{\"text\": \"z\xff\"}\n");
  const auto b = folder.write("b.txt", "two");
  const Result result = read_domain({b, a});
  EXPECT_THAT(result.texts, ElementsAre("one", "two", "z\ufffd"));
  EXPECT_EQ(result.report.name, "d");
  EXPECT_EQ(result.report.files, 2);
  EXPECT_EQ(result.report.duplicates, 2);
  EXPECT_EQ(result.report.empty_documents, 3);
  EXPECT_EQ(result.report.invalid_utf8, 1);
}

TEST(Documents, StayOnTheirSideWhenOthersCome) {
  test::TemporaryFolder folder;
  const Result few = read_domain({folder.write("b.jsonl", json_lines(numbered(400)))});
  const Result more = read_domain({folder.path() / "b.jsonl", folder.write("a.jsonl", json_lines({"new", "newer"}))});
  for (const auto& [text, split] : few.splits) EXPECT_EQ(more.splits.at(text), split) << text;
  EXPECT_NE(few.report.text_sha256, more.report.text_sha256);
  EXPECT_NE(few.report.files_sha256, more.report.files_sha256);
}

TEST(Documents, HaveOneIdentityInAnyOrderOfFiles) {
  test::TemporaryFolder folder;
  std::vector<std::string> texts = numbered(50);
  const Result first = read_domain({folder.write("a.jsonl", json_lines(texts))});
  std::ranges::reverse(texts);
  const Result second = read_domain({folder.write("b.jsonl", json_lines(texts))});
  EXPECT_EQ(first.report.text_sha256, second.report.text_sha256);
  EXPECT_EQ(first.splits, second.splits);
}

TEST(Documents, FillEverySplitOfASmallDomain) {
  test::TemporaryFolder folder;
  for (int documents = 3; documents <= 60; ++documents) {
    const Result result = read_domain({folder.write("a.jsonl", json_lines(numbered(documents)))});
    EXPECT_EQ(result.texts, numbered(documents));
    const int dev = count(result, Split::dev), test = count(result, Split::test), train = count(result, Split::train);
    EXPECT_EQ(dev + test + train, documents);
    EXPECT_GE(dev, 1);
    EXPECT_GE(test, 1);
    EXPECT_GE(train, documents - std::max(2, documents / 5)) << documents;
  }
}

// Literally, since no document may ever change sides: 2 % of 2^32 are 85899345.92, 4 % are 171798691.84.
TEST(Splits, AreThoseOfTheFirstPercents) {
  const auto split = [](const std::string& start) { return split_of(start + std::string(64 - start.size(), 'f')); };
  EXPECT_EQ(split("00000000"), Split::dev);
  EXPECT_EQ(split("051eb851"), Split::dev);
  EXPECT_EQ(split("051eb852"), Split::test);
  EXPECT_EQ(split("0a3d70a3"), Split::test);
  EXPECT_EQ(split("0a3d70a4"), Split::train);
  EXPECT_EQ(split("80000000"), Split::train);
  EXPECT_EQ(split("ffffffff"), Split::train);
}

// In every domain the splits are ranges of hashes: dev below test below train.
TEST(Splits, AreRangesOfHashes) {
  auto hash = [](int percent, int rest) {
    return fmt::format("{:08x}{:056x}", static_cast<std::uint32_t>((percent + 0.5) * 42949672.96), rest);
  };
  auto named = [](const std::vector<std::string>& hashes) {
    std::string letters;
    for (Split split : splits_of(hashes)) letters += "TDE"[static_cast<int>(split)];  // train, dev, (t)est
    return letters;
  };
  EXPECT_EQ(named({hash(50, 0), hash(1, 0), hash(3, 0), hash(99, 0)}), "TDET");
  EXPECT_EQ(named({hash(50, 0), hash(60, 0), hash(40, 0), hash(99, 0)}), "ETDT");  // nothing by hash
  EXPECT_EQ(named({hash(50, 0), hash(3, 0), hash(40, 0), hash(99, 0)}), "TDET");   // a test document below dev's range
  EXPECT_EQ(named({hash(3, 0), hash(3, 1), hash(3, 2), hash(3, 3)}), "DEET");      // train gets the largest
  EXPECT_EQ(named({hash(0, 0), hash(0, 1), hash(0, 2), hash(0, 3)}), "DDET");
  EXPECT_EQ(named({hash(0, 0), hash(50, 0)}), "DT");  // too few: as they are
}

TEST(Documents, SayThatThereAreNone) {
  test::TemporaryFolder folder;
  const auto a = folder.write("a.txt", " \n\n ");
  EXPECT_THAT(test::message_of([&] { read_domain({a}, "\n"); }),
              testing::AllOf(HasSubstr("domain d: no document with text in 1 file"), HasSubstr("empty")));
}

TEST(Documents, KnowTheirFilesWithoutReadingThem) {
  test::TemporaryFolder folder;
  const TextSettings settings = settings_for({folder.write("a.jsonl", json_lines(numbered(5)))});
  DomainReport report;
  read_documents(settings, "d", report, [](std::string&&, const std::string&, Split) {});
  EXPECT_EQ(files_sha256(settings, "d"), report.files_sha256);
  TextSettings other = settings;
  other.text_field = "body";
  EXPECT_NE(files_sha256(other, "d"), report.files_sha256);
  folder.write("a.jsonl", json_lines(numbered(6)));
  EXPECT_NE(files_sha256(settings, "d"), report.files_sha256);
}

TEST(BalancedSample, TakesTheSameShareOfEveryDomain) {
  test::TemporaryFolder folder;
  NamedList<TextSettings> domains;
  for (int size : {300, 5000}) {
    const std::string name = fmt::format("{}", size);
    domains.emplace_back(name, settings_for({folder.write(name + ".jsonl", json_lines(numbered(size)))}));
  }
  std::vector<std::string> sample;
  balanced_sample(domains, 1000)([&](std::string_view text) { sample.emplace_back(text); });
  std::size_t bytes = 0;
  for (const std::string& text : sample) bytes += text.size();
  EXPECT_EQ(bytes, 2000u);
  // The train documents of smallest hash, found by sorting.
  std::vector<std::pair<std::string, std::string>> sorted;
  DomainReport report;
  read_documents(domains[1].second, "d", report, [&](std::string&& text, const std::string& sha256, Split split) {
    if (split == Split::train) sorted.emplace_back(sha256, text);
  });
  std::ranges::sort(sorted);
  std::string expected, found;
  for (const auto& [hash, text] : sorted) expected += text;
  std::size_t at = 0;
  for (std::size_t seen = 0; seen < 1000; ++at) seen += sample[at].size();
  for (; at < sample.size(); ++at) found += sample[at];
  EXPECT_EQ(found, expected.substr(0, 1000));
}

TEST(BalancedSample, TakesAllOfASmallDomainAndCutsALongDocument) {
  test::TemporaryFolder folder;
  NamedList<TextSettings> domains;
  std::vector<std::string> texts = numbered(200);
  domains.emplace_back("small", settings_for({folder.write("a.jsonl", json_lines(texts))}));
  std::size_t documents = 0;
  balanced_sample(domains, 1'000'000)([&](std::string_view) { ++documents; });
  EXPECT_EQ(static_cast<int>(documents), count(read_domain({folder.path() / "a.jsonl"}), Split::train));
  for (std::string& text : texts) text.resize(5000, 'x');
  folder.write("a.jsonl", json_lines(texts));
  std::vector<std::string> sample;
  balanced_sample(domains, 700)([&](std::string_view text) { sample.emplace_back(text); });
  EXPECT_THAT(sample, ElementsAre(testing::SizeIs(700)));
}

}  // namespace
}  // namespace btm
