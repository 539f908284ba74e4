#include "btm/data/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/data/json_line.h"
#include "btm/data/json_scanner.h"
#include "btm/data/record_reader.h"
#include "btm/data/utf8.h"
#include "tests/data/data_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> documents_of(const std::filesystem::path& path, const TextSettings& settings = {},
                                      TextFileOptions options = {}) {
  TextFile file(path, settings, options);
  std::vector<std::string> documents;
  for (std::string text; file.next(text);) documents.push_back(text);
  return documents;
}

TEST(Utf8, IsRepairedAsPythonDoes) {
  const Json cases = test::data_cases()["utf8"];
  for (const Json& item : cases) {
    std::string text = test::from_hex(item["bytes"].get<std::string>());
    const std::string before = text, expected = test::from_hex(item["text"].get<std::string>());
    EXPECT_EQ(repair_utf8(text), before != expected) << item;
    EXPECT_EQ(text, expected) << item;
  }
}

TEST(Utf8, KnowsBlankText) {
  EXPECT_TRUE(is_blank(""));
  EXPECT_TRUE(is_blank(" \t\r\n\f\v\u00a0\u3000\u2028"));
  EXPECT_FALSE(is_blank("   \u200b"));
  EXPECT_FALSE(is_blank("\n.\n"));
}

TEST(Utf8, CutsBetweenCharacters) {
  const std::string text = "a\u20acb";
  EXPECT_EQ(whole_characters(text, 1), 1u);
  EXPECT_EQ(whole_characters(text, 2), 1u);
  EXPECT_EQ(whole_characters(text, 3), 1u);
  EXPECT_EQ(whole_characters(text, 4), 4u);
  EXPECT_EQ(whole_characters(text, 9), 5u);
}

TEST(Utf8, HoldsBackACharacterThatIsNotFinished) {
  EXPECT_EQ(finished_characters(""), 0u);
  EXPECT_EQ(finished_characters("a\u20ac"), 4u);
  EXPECT_EQ(finished_characters("\u30a2\u30ab\xe3\x82"), 6u);
  EXPECT_EQ(finished_characters("a\xf0\x9f\x98"), 1u);
  EXPECT_EQ(finished_characters("a\x80"), 2u) << "nothing that comes finishes this one";
}

TEST(JsonLine, GivesTheTextThatPythonReads) {
  const Json cases = test::data_cases()["json_lines"];
  for (const Json& item : cases) {
    std::string text = "old";
    EXPECT_EQ(json_line_text(item["line"].get<std::string>(), "text", text), "");
    EXPECT_EQ(text, item["text"].get<std::string>()) << item["line"];
  }
}

TEST(JsonLine, IsBrokenWherePythonSaysSo) {
  int fine = 0, quick = 0;
  const Json cases = test::data_cases()["mutated_lines"];
  for (const Json& item : cases) {
    const std::string line = item["line"];
    std::string text;
    EXPECT_EQ(json_line_text(line, "text", text).empty(), !item["text"].is_null()) << line;
    fine += !item["text"].is_null();
    if (!item["text"].is_null()) {
      EXPECT_EQ(text, item["text"].get<std::string>()) << line;
    }
    quick += scan_text_field(line, "text", text);
  }
  EXPECT_GT(fine, 100);
  EXPECT_EQ(quick, fine) << "the slow way is for broken lines";
}

TEST(TextFile, ReadsJsonLines) {
  test::TemporaryFolder folder;
  const std::string lines =
      "{\"text\": \"one\"}\n\n  \r\n{\"id\": 1, \"text\": \"t\\u00e4\"}\r\n{\"text\": null}\n{\"text\": \"last\"}";
  for (const auto& path :
       {folder.write("a.jsonl", lines), folder.write("a.ndjson", lines), folder.write("a.jsonl.gz", test::gzip(lines)),
        folder.write("a.jsonl.zst", test::zstd(lines))}) {
    EXPECT_THAT(documents_of(path), ElementsAre("one", "t\u00e4", "", "last")) << path;
  }
  EXPECT_THAT(documents_of(folder.write("twice.jsonl", R"({"text": "one", "text": null})")), ElementsAre(""));
  EXPECT_THAT(documents_of(folder.write("a.txt", lines), {}, {.json_lines = true}), testing::SizeIs(4));
  TextSettings settings;
  settings.text_field = "body";
  EXPECT_THAT(documents_of(folder.write("b.jsonl", R"({"text": "no", "body": "yes"})"), settings), ElementsAre("yes"));
}

TEST(TextFile, KnowsJsonLinesOfOtherNames) {
  const test::TemporaryFolder folder;
  const std::string lines = "{\"text\": \"one\"}\n{\"text\": \"two\"}\n";
  for (const char* name : {"c4.json", "x.JSONL", "x.NdJson"}) {
    EXPECT_THAT(documents_of(folder.write(name, lines)), ElementsAre("one", "two")) << name;
  }
  EXPECT_THAT(documents_of(folder.write("blank.json", "\n \r\n" + lines)), ElementsAre("one", "two"));
  EXPECT_THAT(documents_of(folder.write("bytes.json", "{\"text\": \"\xff\"}\n" + lines)),
              ElementsAre("\ufffd", "one", "two"));
  const std::string long_text(3 << 20, 'x');
  EXPECT_THAT(documents_of(folder.write("long.json", "{\"text\": \"" + long_text + "\"}\n" + lines)),
              ElementsAre(long_text, "one", "two"));
  // Documents of other programs, which are text here.
  for (const char* text : {"{\"name\": \"one\"}\n", "[{\"text\": \"one\"}]\n", "{\n  \"text\": \"one\"\n}\n"}) {
    EXPECT_THAT(documents_of(folder.write("package.json", text)), ElementsAre(text));
  }
}

TEST(TextFile, NamesFileAndLineOfWhatIsWrong) {
  test::TemporaryFolder folder;
  auto message = [&](const std::string& line) {
    const auto path = folder.write("a.jsonl", "{\"text\": \"fine\"}\n\n" + line + "\n");
    return test::message_of([&] { documents_of(path); });
  };
  EXPECT_THAT(message(R"({"text": "cut)"), AllOf(HasSubstr("a.jsonl:3: broken JSON: column 14")));
  EXPECT_THAT(message(R"({"text": "a"} x)"), HasSubstr("a.jsonl:3: broken JSON"));
  EXPECT_THAT(message(R"({"text": "\ud800", })"), HasSubstr("a.jsonl:3: broken JSON"));
  EXPECT_THAT(message(R"({"test": "a", "id": 1})"), HasSubstr("no field \"text\"; did you mean text_field: test?"));
  EXPECT_THAT(message(R"({"content": "a", "id": 1})"),
              HasSubstr("it has content, id: rename it, or set text_field (--text-field of prepare and tokenize)"));
  EXPECT_THAT(message(R"({"content": "a", "score": NaN})"), HasSubstr("no field \"text\"; it has content"));
  EXPECT_THAT(message(R"({"score": NaN, "content": "a"})"), HasSubstr("no field \"text\""));
  EXPECT_THAT(message(R"({"content": "a", "score": N})"), HasSubstr("a.jsonl:3: broken JSON"));
  EXPECT_THAT(message("{}"), HasSubstr("expected an object with a field"));
  EXPECT_THAT(message(R"({"text": ["a"]})"), HasSubstr("a.jsonl:3: field \"text\" is not a text"));
  EXPECT_THAT(message(R"({"text": 1})"), HasSubstr("a.jsonl:3: field \"text\" is not a text"));
  EXPECT_THAT(message(R"("text")"), HasSubstr("a.jsonl:3: expected an object"));
  EXPECT_THAT(message(R"([{"text": "a"}])"), HasSubstr("a.jsonl:3: expected an object"));
}

TEST(TextFile, ReadsPlainText) {
  test::TemporaryFolder folder;
  EXPECT_THAT(documents_of(folder.write("a.py", "x = 1\n\ny = 2\n")), ElementsAre("x = 1\n\ny = 2\n"));
  EXPECT_THAT(documents_of(folder.write("a.txt", "\xef\xbb\xbfmarked")), ElementsAre("marked"));
  EXPECT_THAT(documents_of(folder.write("b.txt", "")), ElementsAre());
  TextSettings settings;
  settings.split_documents_on = "\n\n\n";
  EXPECT_THAT(documents_of(folder.write("c.txt", "one\n\n\ntwo\n\n2\n\n\n\nthree\n\n\n"), settings),
              ElementsAre("one", "two\n\n2", "\nthree"));
}

TEST(TextFile, ADelimitersLineEndsAreTheFiles) {
  test::TemporaryFolder folder;
  TextSettings settings;
  settings.split_documents_on = "\n\n==\n";
  const std::string windows = "one\r\nmore\r\n\r\n==\r\ntwo\r\n";
  EXPECT_THAT(documents_of(folder.write("a.txt", windows), settings), ElementsAre("one\r\nmore", "two\r\n"));
  EXPECT_THAT(documents_of(folder.write("a.txt", "one\n\n==\ntwo\r\n"), settings), ElementsAre("one", "two\r\n"));
  settings.split_documents_on = "\r\n==";
  EXPECT_THAT(documents_of(folder.write("a.txt", windows), settings), ElementsAre("one\r\nmore\r\n", "\r\ntwo\r\n"));
}

TEST(TextFile, FindsADelimiterThatLiesAcrossBlocks) {
  test::TemporaryFolder folder;
  TextSettings settings;
  settings.split_documents_on = "<end of document>";
  for (std::size_t size = (1u << 18) - 18; size <= (1u << 18); ++size) {
    const std::string first(size, 'a'), second(1u << 19, 'b');
    EXPECT_THAT(documents_of(folder.write("a.txt", first + "<end of document>" + second), settings),
                ElementsAre(first, second));
  }
}

TEST(TextFile, CutsLongPlainTextAtLineEnds) {
  test::TemporaryFolder folder;
  std::string text;
  for (int i = 0; text.size() < 300'000; ++i) text += fmt::format("line {} \u00e4\u20ac\n", i);
  const auto path = folder.write("bible.txt", text);
  const std::vector<std::string> pieces = documents_of(path);
  std::string joined;
  for (const std::string& piece : pieces) {
    EXPECT_EQ(piece.back(), '\n');
    EXPECT_GE(piece.size(), 10'000u);
    EXPECT_LE(piece.size(), 30'000u);
    joined += piece;
  }
  EXPECT_EQ(joined, text);
  EXPECT_THAT(documents_of(path, {}, {.cut_long = false}), ElementsAre(text));
  EXPECT_THAT(documents_of(folder.write("short.txt", text.substr(0, 100'000))), testing::SizeIs(1));
}

TEST(TextFile, RefusesADocumentBeyondTheLimit) {
  test::TemporaryFolder folder;
  const auto path = folder.write("a.txt", "12345\n6789\n");
  const auto read = [&path](std::size_t longest, bool whole) {
    RecordReader reader(open_source(path), path.string(), longest);
    std::size_t count = 0;
    for (std::string_view record; whole ? reader.rest(record) : reader.until("\t", record);) count += record.size();
    return count;
  };
  for (const bool whole : {true, false}) {
    EXPECT_EQ(read(11, whole), 11u);
    EXPECT_THAT(test::message_of([&] { read(10, whole); }), HasSubstr("a.txt: a document of more than 1 GiB"));
  }
}

TEST(TextFile, CutsEvenALineWithoutEndBetweenCharacters) {
  test::TemporaryFolder folder;
  std::string text;
  while (text.size() < 200'000) text += "\u20ac";
  std::string joined;
  for (const std::string& piece : documents_of(folder.write("a.txt", text))) {
    EXPECT_LE(piece.size(), 40'000u);
    joined += piece;
  }
  EXPECT_EQ(joined, text);  // nothing was cut in two and replaced
}

TEST(TextFile, CountsRepairedDocuments) {
  test::TemporaryFolder folder;
  TextFile file(folder.write("a.jsonl", "{\"text\": \"a\xff\"}\n{\"text\": \"b\"}\n{\"text\": \"\xe2\x82\"}\n"), {});
  std::string text;
  ASSERT_TRUE(file.next(text));
  EXPECT_EQ(text, "a\ufffd");
  while (file.next(text)) {
  }
  EXPECT_EQ(text, "\ufffd");
  EXPECT_EQ(file.repaired(), 2);
}

TEST(TextFile, RefusesBinaryFiles) {
  test::TemporaryFolder folder;
  auto message = [&](const char* name, const std::string& bytes) {
    const auto path = folder.write(name, bytes);
    return test::message_of([&] { TextFile(path, {}); });
  };
  EXPECT_THAT(message("a.bin", std::string("text\0text", 9)),
              AllOf(HasSubstr("a.bin: a binary file"), HasSubstr("glob")));
  EXPECT_THAT(message("b.dat", std::string(100, '\x01')), HasSubstr("b.dat: a binary file"));
  EXPECT_THAT(message("c.jsonl.gz", test::gzip(std::string(9, '\0'))), HasSubstr("c.jsonl.gz: a binary file"));
  EXPECT_THAT(message("c.txt", test::gzip("text")), HasSubstr("c.txt: packed by gzip"));
  EXPECT_THAT(message("c.jsonl", "\x28\xb5\x2f\xfd text"), HasSubstr("whose names end in .zst"));
  EXPECT_THAT(message("d.zip", std::string("PK\3\4\0\0", 6)), HasSubstr("unpack it"));
  EXPECT_THAT(message("e.txt", std::string("\xff\xfeh\0i\0", 6)), HasSubstr("UTF-16"));
  EXPECT_THAT(documents_of(folder.write("latin1.txt", "\xe4\xf6\xfc\x1b[0m\f")),
              testing::SizeIs(1));  // text all the same
}

}  // namespace
}  // namespace btm
