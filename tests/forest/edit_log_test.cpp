#include "btm/forest/edit_log.h"

#include "btm/core/files.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

ExpertInfo hashed(const std::string& name) {
  ExpertInfo info = test::expert_info(name, 1, {{"seed", 0.5, "aa"}, {"x", 0.5, "bb"}});
  info.recipe_sha256 = "recipe of " + name;
  info.weights_sha256 = "weights of " + name;
  return info;
}

TEST(EditLog, ReadsWhatWasAppended) {
  test::TemporaryFolder folder;
  fs::path log = folder / "log.jsonl";
  EXPECT_TRUE(read_edits(log).empty());
  append_edit(log, merge_edit(hashed("rust")));
  append_edit(log, remove_edit(hashed("rust"), false));
  std::vector<Edit> edits = read_edits(log);
  ASSERT_EQ(edits.size(), 2u);
  ExpertInfo there = expert_of(edits[0]), expected = hashed("rust");
  expected.recipe = {};
  EXPECT_EQ(expert_json(there).dump(), expert_json(expected).dump());
  EXPECT_EQ(edits[1].edit, EditKind::remove);
  EXPECT_EQ(edits[1].weights_sha256, "weights of rust");
  EXPECT_EQ(edits[0].time.size(), std::string("2025-01-01T00:00:00Z").size());
  EXPECT_EQ(read_file(log).find("domains", read_file(log).find('\n')), std::string::npos);  // removals are short
}

// Cut anywhere, the log reads as its whole lines, and the next edit is appended to these.
TEST(EditLog, TornLastLineIsDroppedAndCutAway) {
  test::TemporaryFolder folder;
  fs::path log = folder / "log.jsonl";
  append_edit(log, merge_edit(hashed("a")));
  std::string first = read_file(log);
  append_edit(log, merge_edit(hashed("b")));
  std::string both = read_file(log);
  for (std::size_t size = first.size(); size < both.size(); size += 61) {
    write_file(log, both.substr(0, size));
    ASSERT_EQ(read_edits(log).size(), 1u) << size;
    append_edit(log, merge_edit(hashed("c")));
    std::vector<Edit> edits = read_edits(log);
    ASSERT_EQ(edits.size(), 2u) << size;
    EXPECT_EQ(edits[0].expert, "a");
    EXPECT_EQ(edits[1].expert, "c");
  }
}

TEST(EditLog, AnyChangedByteOfALineIsAnError) {
  test::TemporaryFolder folder;
  fs::path log = folder / "log.jsonl";
  append_edit(log, merge_edit(hashed("a")));
  append_edit(log, merge_edit(hashed("b")));
  const std::string whole = read_file(log);
  for (std::size_t i = 0; i + 1 < whole.size(); i += 7) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 1);
    folder.write("log.jsonl", bytes);
    const int line = i <= whole.find('\n') ? 1 : 2;
    const std::string message = test::input_message([&] { read_edits(log); });
    EXPECT_NE(message.find(fmt::format("line {}: broken entry", line)), std::string::npos) << i << ": " << message;
  }
}

TEST(EditLog, LinesOfOlderVersionsHaveNoHash) {
  test::TemporaryFolder folder;
  fs::path log = folder / "log.jsonl";
  append_edit(log, merge_edit(hashed("a")));
  const std::string line = read_file(log);
  write_file(log, line.substr(0, line.find(",\"line_sha256\"")) + "}\n");
  EXPECT_EQ(read_edits(log).at(0).expert, "a");
}

TEST(EditLog, BrokenLineIsAnErrorWithItsNumber) {
  test::TemporaryFolder folder;
  fs::path log = folder / "log.jsonl";
  append_edit(log, merge_edit(hashed("a")));
  std::string good = read_file(log);
  for (const char* bad :
       {"", "garbage", "[]", "{\"edit\":\"merge\"", "{\"edit\":\"prune\",\"expert\":\"a\"}", "{\"edit\":3}",
        "{\"edit\":\"merge\",\"expert\":\"\"}", "{\"edit\":\"merge\",\"expert\":\"a\",\"recipe_sha256\":\"x\"}",
        "{\"edit\":\"remove\",\"expert\":\"a\",\"recipe_sha256\":\"x\",\"weights_sha256\":\"y\",\"cycles\":1}"}) {
    write_file(log, good + bad + "\n" + good);
    std::string message = test::input_message([&] { read_edits(log); });
    EXPECT_NE(message.find("log.jsonl: line 2: broken entry"), std::string::npos) << bad << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace btm
