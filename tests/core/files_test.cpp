#include "btm/core/files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "btm/core/error.h"
#include "btm/core/file_lock.h"
#include "btm/core/half_written.h"
#include "btm/core/host.h"
#include "btm/core/process.h"
#include "tests/support/temporary_folder.h"

namespace {
bool g_swaps = true;
}  // namespace

// In place of the C library's: a file system that can't swap two names, such as NFS or Lustre.
extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (g_swaps) return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
  errno = EINVAL;
  return -1;
}

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

TEST(Files, FolderReplacesFolderWhereTheyCantBeSwapped) {
  test::TemporaryFolder folder;
  g_swaps = false;
  for (const char* text : {"old", "new"}) {
    FolderWriter target(folder / "d");
    write_file(target.path() / "f", text);
    target.publish();
  }
  g_swaps = true;
  EXPECT_EQ(read_file(folder / "d" / "f"), "new");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(Files, FolderBehindALinkIsReplacedNotTheLink) {
  const test::TemporaryFolder folder;
  fs::create_directory(folder / "disk");
  fs::create_directory_symlink("disk", folder / "link");
  fs::create_directory_symlink(folder / "nowhere", folder / "dangling");
  for (const char* name : {"link", "dangling"}) {
    FolderWriter writer(folder / name);
    write_file(writer.path() / "a", name);
    writer.publish();
    EXPECT_TRUE(fs::is_symlink(folder / name));
  }
  EXPECT_EQ(read_file(folder / "disk/a"), "link");
  EXPECT_EQ(read_file(folder / "nowhere/a"), "dangling");
}

// In a child, whose standard input is a file that was read in part, and a socket.
TEST(Files, StandardInputGoesOnWhereItStands) {
  const test::TemporaryFolder folder;
  write_file(folder / "a", "one two");
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  ASSERT_EQ(::write(sockets[0], "three", 5), 5);
  ::close(sockets[0]);
  const int file = open_to_read(folder / "a");
  ASSERT_EQ(::lseek(file, 4, SEEK_SET), 4);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(file, STDIN_FILENO);
    const bool rest = read_file(kStandardInput) == "two";
    ::dup2(sockets[1], STDIN_FILENO);
    ::_exit(rest && read_file(kStandardInput) == "three" ? 0 : 1);
  }
  ::close(sockets[1]);
  ::close(file);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Files, CopiesWhatItCantLink) {
  test::TemporaryFolder folder;
  const std::string bytes(3'000'000, 'x');
  folder.write("from", bytes);
  folder.write("to", "in the way of a link");
  link_or_copy(folder / "from", folder / "to");
  EXPECT_EQ(test::read(folder / "to"), bytes);
  EXPECT_EQ(fs::hard_link_count(folder / "from"), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2) << "nothing is left beside them";
}

TEST(Files, RemovesWholeFoldersAndFiles) {
  test::TemporaryFolder folder;
  folder.write("model/below/weights", "1");
  folder.write("file", "2");
  for (const char* name : {"model", "file", "nothing"}) remove_whole(folder / name);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Files, LockRefusesASecondHolder) {
  test::TemporaryFolder folder;
  FileLock lock(folder / "lock", "btm grow");
  EXPECT_THROW(FileLock(folder / "lock", "btm grow"), Error);
}

TEST(Files, WhoWaitedForALockThatWasRemovedTakesTheNewOne) {
  test::TemporaryFolder folder;
  std::optional<FileLock> first(std::in_place, folder / "lock", "btm grow");
  std::thread waiter([&folder] {
    FileLock lock(folder / "lock", "btm grow", FileLock::Busy::wait);
    EXPECT_THROW(FileLock(folder / "lock", "btm grow"), Error);
  });
  while (read_file(folder / "lock").empty()) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it has opened the file
  fs::remove(folder / "lock");
  first.reset();
  waiter.join();
}

TEST(Files, ALockOfAKilledProcessIsHeldByWhatItStarted) {
  test::TemporaryFolder folder;
  const pid_t killed = ::fork();
  if (killed == 0) {
    const FileLock lock(folder / "lock", "btm train");
    lock.pass_to_children();
    const std::string command = fmt::format("sleep 60 & echo $! > {}/child", folder.path().string());
    ::waitpid(start_process({"sh", "-c", command}, {}), nullptr, 0);  // the shell would be ended with this process
    ::_exit(0);                                                       // without the lock's destructor
  }
  ::waitpid(killed, nullptr, 0);
  EXPECT_THROW(FileLock(folder / "lock", "btm train"), Error);
  ::kill(std::stoi(read_file(folder / "child")), SIGKILL);
  FileLock(folder / "lock", "btm train", FileLock::Busy::wait);
}

TEST(Files, WhatIsBeingWrittenIsNoLeftover) {
  test::TemporaryFolder folder;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const auto name = [](const std::string& host, pid_t process) { return fmt::format("a.{}.{}.tmp", host, process); };
  const std::string ours = name(host_name(), ::getpid()), killed = name(host_name(), dead),
                    alive = name(host_name(), ::getppid()), elsewhere = name("else.where", 7),
                    silent = name("else.where", 8);
  for (const std::string& each : {ours, killed, alive, elsewhere, silent, std::string("a.1.tmp")}) {
    fs::create_directories(folder / each);
    write_file(folder.path() / each / "train.bin", "half");
  }
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(2);
  fs::last_write_time(folder.path() / silent / "train.bin", long_ago);
  fs::last_write_time(folder / silent, long_ago);
  fs::last_write_time(folder / elsewhere, long_ago);  // but not of the file in it
  remove_leftovers(folder.path());
  for (const std::string& each : {alive, elsewhere}) EXPECT_TRUE(fs::exists(folder / each)) << each;
  EXPECT_EQ(entries(folder.path()), 2);
  remove_half_written(folder.path());
  EXPECT_EQ(entries(folder.path()), 0);
}

TEST(Files, AFileBehindALinkIsReplacedNotTheLinkNorADevice) {
  test::TemporaryFolder folder;
  folder.write("page", "old");
  fs::create_symlink("page", folder / "link");
  write_file(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "page"), "new");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(write_file(folder / "pipe", "x"), Error);
  EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
}

TEST(Files, WhatAKilledProcessOfThisNumberLeftIsNotPublished) {
  test::TemporaryFolder folder;
  const fs::path left = folder / fmt::format("d.{}.{}.tmp", host_name(), ::getpid());
  fs::create_directories(left);
  write_file(left / "old", "torn");
  FolderWriter writer(folder / "d");
  write_file(writer.path() / "new", "x");
  writer.publish();
  EXPECT_EQ(entries(folder / "d"), 1);
}

TEST(Files, ALockThatIsGivenBackIsFreeWhateverStaysBehind) {
  test::TemporaryFolder folder;
  pid_t child = 0;
  {
    const FileLock lock(folder / "lock", "btm train");
    lock.pass_to_children();
    child = start_process({"sleep", "60"}, {});
  }
  FileLock(folder / "lock", "btm train");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
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
