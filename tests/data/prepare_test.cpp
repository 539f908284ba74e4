#include "btm/data/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "btm/core/files.h"
#include "btm/data/token_store.h"
#include "tests/data/data_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Prepare : public testing::Test {
 protected:
  TextSettings settings(const std::string& name, const std::string& bytes) const {
    TextSettings text;
    text.text = {folder_.write(name, bytes).string()};
    return text;
  }
  TextSettings many(int documents, int size) const {
    std::string lines;
    for (int i = 0; i < documents; ++i) {
      lines += Json{{"text", fmt::format("{} {}", i, std::string(static_cast<std::size_t>(size), 'x'))}}.dump() + "\n";
    }
    return settings("many.jsonl", lines);
  }
  // "Only what is whole": the folder the output goes to holds these names and no others.
  std::vector<std::string> output_names() const {
    std::vector<std::string> names;
    if (!fs::exists(folder_ / "tokens")) return names;
    for (const auto& entry : fs::directory_iterator(folder_ / "tokens"))
      names.push_back(entry.path().filename().string());
    return names;
  }
  fs::path output() const { return folder_ / "tokens/d"; }

  test::TemporaryFolder folder_;
  Tokenizer tokenizer_ = test::byte_tokenizer();
};

TEST_F(Prepare, WritesEveryDocumentWhereItBelongs) {
  const TextSettings text = many(500, 40);
  const DomainReport report = prepare_domain(text, "d", tokenizer_, output(), 100, 2);

  std::map<Split, Json> expected = {
      {Split::train, Json::array()}, {Split::dev, Json::array()}, {Split::test, Json::array()}};
  std::map<Split, std::int64_t> bytes;
  DomainReport read;
  read_documents(text, "d", read, [&](std::string&& document, const std::string&, Split split) {
    Json ids = Json::array();
    for (char byte : document) ids.push_back(test::byte_id(byte));
    ids.push_back(256);
    expected[split].push_back(ids);
    bytes[split] += static_cast<std::int64_t>(document.size());
  });
  for (const auto& [split, name, counts, sha256] :
       {std::tuple{Split::train, "train", report.train, report.train_sha256},
        {Split::dev, "dev", report.dev, report.dev_sha256},
        {Split::test, "test", report.test, report.test_sha256}}) {
    EXPECT_EQ(test::read_by_python(output() / name)["documents"], expected[split]) << name;
    EXPECT_EQ(counts.documents, static_cast<std::int64_t>(expected[split].size()));
    EXPECT_EQ(counts.bytes, bytes[split]);
    EXPECT_EQ(counts.tokens, bytes[split] + counts.documents);
    EXPECT_EQ(sha256, TokenStore(output() / name).sha256());
  }
  EXPECT_EQ(report.text_sha256, read.text_sha256);
  EXPECT_EQ(report.tokenizer_sha256, tokenizer_.sha256());
  EXPECT_EQ(settings_json(load_domain_report(output())), settings_json(report));
}

TEST_F(Prepare, GivesTheSameBytesOnAnyNumberOfThreadsAndInManyBatches) {
  const TextSettings text = many(900, 40'000);  // 36 MB, more than two batches
  const DomainReport one = prepare_domain(text, "d", tokenizer_, output(), 100, 1);
  const DomainReport three = prepare_domain(text, "d", tokenizer_, output(), 100, 3);
  EXPECT_EQ(settings_json(one), settings_json(three));
}

TEST_F(Prepare, TakesABookInOneFile) {
  std::string book;
  for (int i = 0; book.size() < 1'200'000; ++i) book += fmt::format("verse {}\n", i);
  const DomainReport report = prepare_domain(settings("book.txt", book), "d", tokenizer_, output(), 100, 2);
  EXPECT_GE(report.train.documents, 50);
  EXPECT_GE(report.dev.documents, 1);
  EXPECT_GE(report.test.documents, 1);
  EXPECT_EQ(report.train.bytes + report.dev.bytes + report.test.bytes, static_cast<std::int64_t>(book.size()));
}

TEST_F(Prepare, LeavesNothingBehindWhenItFails) {
  const TextSettings broken = settings("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": ");
  EXPECT_THAT(test::message_of([&] { prepare_domain(broken, "d", tokenizer_, output(), 1, 2); }),
              HasSubstr("a.jsonl:3"));
  EXPECT_THAT(output_names(), testing::IsEmpty());

  const DomainReport good = prepare_domain(many(50, 10), "d", tokenizer_, output(), 1, 2);
  EXPECT_ANY_THROW(prepare_domain(broken, "d", tokenizer_, output(), 1, 2));
  EXPECT_THAT(output_names(), testing::ElementsAre("d"));
  EXPECT_EQ(settings_json(load_domain_report(output())), settings_json(good)) << "the old tokens are untouched";
}

TEST_F(Prepare, ReplacesNothingButTokens) {
  const fs::path other = folder_ / "thesis";
  fs::create_directories(other);
  write_file(other / "chapter.txt", "words");
  const TextSettings text = many(50, 10);
  EXPECT_THAT(test::message_of([&] { prepare_domain(text, "d", tokenizer_, other, 1, 2); }),
              AllOf(HasSubstr(other.string()), HasSubstr("is there already"), HasSubstr("domain.json")));
  EXPECT_THAT(test::message_of([&] { prepare_domain(text, "d", tokenizer_, other / "chapter.txt", 1, 2); }),
              HasSubstr("is there already"));
  EXPECT_EQ(read_file(other / "chapter.txt"), "words");
}

TEST_F(Prepare, WarnsOfADelimiterThatIsNowhere) {
  TextSettings texts;
  for (int i = 0; i < 5; ++i) {
    texts.text.push_back(settings("text" + std::to_string(i) + ".txt", "words\n==\n" + std::to_string(i)).text.front());
  }
  const auto warning = [&](const char* delimiter) {
    texts.split_documents_on = delimiter;
    testing::internal::CaptureStderr();
    prepare_domain(texts, "d", tokenizer_, output(), 1, 2);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(warning("=="), testing::Not(HasSubstr("split_documents_on")));
  EXPECT_THAT(warning("\n===\n"), HasSubstr(R"(domain d: split_documents_on, "\n===\n", is in none of its 5 files)"));
}

TEST_F(Prepare, SaysThatADomainIsTooSmall) {
  const TextSettings text = many(20, 10);
  EXPECT_THAT(test::message_of([&] { prepare_domain(text, "d", tokenizer_, output(), 100'000, 2); }),
              AllOf(HasSubstr("domain d: "), HasSubstr("tokens to train on (18 documents"), HasSubstr("needs 100000"),
                    HasSubstr("training.batch_tokens")));
  const TextSettings two = settings("two.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n");
  EXPECT_THAT(test::message_of([&] { prepare_domain(two, "d", tokenizer_, output(), 1, 2); }),
              AllOf(HasSubstr("only 2 documents"), HasSubstr("split_documents_on")));
  TextSettings one = settings("one.txt", "a\n\nb\n\nc");
  one.split_documents_on = "\n\n\n";
  EXPECT_THAT(test::message_of([&] { prepare_domain(one, "d", tokenizer_, output(), 1, 2); }),
              HasSubstr(R"(split_documents_on (now "\n\n\n"))"));
  const TextSettings none = settings("none.txt", "  \n");
  EXPECT_THAT(test::message_of([&] { prepare_domain(none, "d", tokenizer_, output(), 1, 2); }),
              HasSubstr("no document"));
  EXPECT_THAT(output_names(), testing::IsEmpty());
}

TEST_F(Prepare, SaysThatItsReportIsBroken) {
  EXPECT_THAT(test::message_of([&] { load_domain_report(folder_.path()); }), HasSubstr("domain.json"));
  folder_.write("domain.json", "{\"name\": \"d\", \"fils\": 3}");
  EXPECT_THAT(test::message_of([&] { load_domain_report(folder_.path()); }),
              AllOf(HasSubstr("domain.json"), HasSubstr("files")));
  folder_.write("domain.json", "{\"name\": ");
  EXPECT_THAT(test::message_of([&] { load_domain_report(folder_.path()); }), HasSubstr("domain.json"));
}

}  // namespace
}  // namespace btm
