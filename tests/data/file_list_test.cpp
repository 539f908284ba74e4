#include "btm/data/file_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/data/data_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FileList : public testing::Test {
 protected:
  FileList() {
    for (const char* name : {"b.txt", "a.txt", "a.jsonl", "x/c.txt", "x/y/d.txt", "x/y/e.py", ".hidden/f.txt",
                             "x/.g.txt", "odd[1].txt", "z{p,q}.md", "\u00fc.dat"}) {
      folder_.write(name, name);
    }
  }
  // Relative to the folder.
  std::vector<std::string> find(const std::vector<std::string>& patterns) const {
    std::vector<std::string> full, names;
    for (const std::string& pattern : patterns) full.push_back((folder_ / pattern).string());
    for (const auto& path : find_files(full, "domain d"))
      names.push_back(path.lexically_relative(folder_.path()).string());
    return names;
  }
  test::TemporaryFolder folder_;
};

TEST_F(FileList, TakesFilesAndFoldersSortedAndOnce) {
  EXPECT_THAT(find({"b.txt", "a.txt", "b.txt"}), ElementsAre("a.txt", "b.txt"));
  EXPECT_THAT(find({"x", "x/y"}), ElementsAre("x/c.txt", "x/y/d.txt", "x/y/e.py"));
  EXPECT_THAT(find({"x/"}), ElementsAre("x/c.txt", "x/y/d.txt", "x/y/e.py"));
}

TEST_F(FileList, MatchesGlobs) {
  EXPECT_THAT(find({"*.txt"}), ElementsAre("a.txt", "b.txt", "odd[1].txt"));
  EXPECT_THAT(find({"?.txt"}), ElementsAre("a.txt", "b.txt"));
  EXPECT_THAT(find({"[b-z]*.txt"}), ElementsAre("b.txt", "odd[1].txt"));
  EXPECT_THAT(find({"**/*.txt"}), ElementsAre("a.txt", "b.txt", "odd[1].txt", "x/c.txt", "x/y/d.txt"));
  EXPECT_THAT(find({"x/**/*.txt"}), ElementsAre("x/c.txt", "x/y/d.txt"));
  EXPECT_THAT(find({"*/*/{d.txt,e.py}"}), ElementsAre("x/y/d.txt", "x/y/e.py"));
  EXPECT_THAT(find({"{a.{txt,jsonl},b.txt}"}), ElementsAre("a.jsonl", "a.txt", "b.txt"));
  EXPECT_THAT(find({"x/*"}), ElementsAre("x/c.txt", "x/y/d.txt", "x/y/e.py"));
  EXPECT_THAT(find({".hidden/*"}), ElementsAre(".hidden/f.txt"));
  EXPECT_THAT(find({"?.dat"}), ElementsAre("\u00fc.dat"));
  EXPECT_THAT(find({"[\u00e4\u00fc].dat"}), ElementsAre("\u00fc.dat"));
}

TEST_F(FileList, TakesANameThatLooksLikeAGlob) {
  EXPECT_THAT(find({"odd[1].txt", "z{p,q}.md"}), ElementsAre("odd[1].txt", "z{p,q}.md"));
}

TEST_F(FileList, LeavesOutFoldersThatAreOnlyMet) {
  folder_.write("x/y.host.12.tmp/half.txt", "");  // as FolderWriter calls them
  const std::vector<std::string> all = {"x/c.txt", "x/y/d.txt", "x/y/e.py"};
  EXPECT_EQ(find({"x"}), all);
  EXPECT_EQ(find({"x/**"}), all);
  for (const char* pattern : {"x", "x/**", "x/*"}) {
    EXPECT_THAT(find_files({(folder_ / pattern).string()}, "domain d", {folder_ / "nowhere", folder_ / "x/y"}),
                ElementsAre(folder_ / "x/c.txt"))
        << pattern;
  }
  EXPECT_THAT(find_files({(folder_ / "x/y").string()}, "domain d", {folder_ / "x/y"}), testing::SizeIs(2)) << "named";
}

TEST_F(FileList, FollowsLinksOnlyWhereTheyAreNamed) {
  std::filesystem::create_directory_symlink(folder_ / "x", folder_ / "x/y/loop");
  EXPECT_THAT(find({"x"}), ElementsAre("x/c.txt", "x/y/d.txt", "x/y/e.py"));
  EXPECT_THAT(find({"x/y/loop/c.txt"}), ElementsAre("x/y/loop/c.txt"));
}

// A pipe that nobody writes to would be read for ever.
TEST_F(FileList, LeavesPipesOutThatAreNotNamed) {
  ASSERT_EQ(::mkfifo((folder_ / "x/pipe.txt").c_str(), 0600), 0);
  EXPECT_THAT(find({"x"}), ElementsAre("x/c.txt", "x/y/d.txt", "x/y/e.py"));
  EXPECT_THAT(find({"x/*.txt"}), ElementsAre("x/c.txt"));
  EXPECT_THAT(find({"x/pipe.txt"}), ElementsAre("x/pipe.txt"));
}

TEST_F(FileList, NamesTheNearestOfWhatIsThere) {
  EXPECT_THAT(
      test::message_of([&] { find({"a.txd"}); }),
      testing::AllOf(HasSubstr("domain d: "), HasSubstr("a.txd: no such file; did you mean "), HasSubstr("/a.txt'?")));
  EXPECT_THAT(test::message_of([&] { find({"x/z/d.txt"}); }), HasSubstr("did you mean "));
  EXPECT_THAT(test::message_of([&] { find({"x/*.cpp"}); }), HasSubstr("what exists is " + (folder_ / "x").string()));
  EXPECT_THAT(test::message_of([&] { find({}); }), HasSubstr("no text is named"));
  EXPECT_THAT(test::message_of([] { find_files({"nowhere/d.txt"}, "domain d"); }),
              HasSubstr("paths are taken from the current folder"));
  std::filesystem::create_symlink("gone.txt", folder_ / "link.txt");
  EXPECT_THAT(test::message_of([&] { find({"link.txt"}); }), HasSubstr("/link.txt leads nowhere"));
  std::filesystem::create_directory(folder_ / "void");
  EXPECT_THAT(test::message_of([&] { find({"void"}); }), HasSubstr("the folder has no files"));
}

}  // namespace
}  // namespace btm
