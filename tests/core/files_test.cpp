#include "btm/core/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "btm/core/error.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

int entries(const fs::path& folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Files, WritesWhole) {
  test::TemporaryFolder folder;
  write_file(folder / "a", "one");
  write_file(folder / "a", "two");
  EXPECT_EQ(read_file(folder / "a"), "two");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(Files, UnpublishedLeavesNothing) {
  test::TemporaryFolder folder;
  {
    FileWriter file(folder / "a");
    file.write(std::string(3 << 20, 'x'));
    FolderWriter other(folder / "b");
    write_file(other.path() / "c", "x");
  }
  EXPECT_EQ(entries(folder.path()), 0);
}

TEST(Files, FullDiskIsAnInputErrorThatSaysSo) {
  try {
    append_line("/dev/full", "line");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_NE(std::string(e.what()).find("no space left"), std::string::npos) << e.what();
  }
}

TEST(Files, FolderReplacesFolder) {
  test::TemporaryFolder folder;
  for (const char* text : {"old", "new"}) {
    FolderWriter target(folder / "d");
    write_file(target.path() / "f", text);
    target.publish();
  }
  EXPECT_EQ(read_file(folder / "d" / "f"), "new");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(Files, RemovesWholeFoldersAndFiles) {
  test::TemporaryFolder folder;
  folder.write("model/below/weights", "1");
  folder.write("file", "2");
  for (const char* name : {"model", "file", "nothing"}) remove_folder(folder / name);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Files, LockRefusesASecondHolder) {
  test::TemporaryFolder folder;
  FileLock lock(folder / "lock", "btm grow");
  EXPECT_THROW(FileLock(folder / "lock", "btm grow"), Error);
}

TEST(Files, AFolderThatCantBeMadeIsNotTakenForSomeoneElses) {
  test::TemporaryFolder folder;
  write_file(folder / "file", "");
  EXPECT_THROW(make_folders_if_allowed(folder / "file/below"), Error);
  EXPECT_TRUE(make_folders_if_allowed(folder / "a/b"));
  EXPECT_TRUE(make_folders_if_allowed(folder / "a/b"));
  fs::permissions(folder / "a", fs::perms::owner_read | fs::perms::owner_exec);
  const uid_t user = ::geteuid();
  ASSERT_EQ(user == 0 ? ::seteuid(65534) : 0, 0);  // to whom permissions matter
  const bool made = make_folders_if_allowed(folder / "a/c");
  ASSERT_EQ(user == 0 ? ::seteuid(user) : 0, 0);
  EXPECT_FALSE(made);
  fs::permissions(folder / "a", fs::perms::owner_all);
}

TEST(Files, MissingFileNamesThePath) {
  try {
    read_file("/no/such/file");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("/no/such/file"), std::string::npos);
  }
}

}  // namespace
}  // namespace btm
