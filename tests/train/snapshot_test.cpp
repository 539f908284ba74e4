#include "btm/train/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numeric>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::HasSubstr;

struct Arrays {
  std::vector<float> weights = std::vector<float>(1000), mean = std::vector<float>(1000);
  std::vector<SnapshotArray> list() { return {{"weights.bin", weights}, {"mean.bin", mean}}; }
};

RunState state_at(std::int64_t update) {
  return {update, 12.5 * static_cast<double>(update), 100 * update, 2, "job"};
}

void save(const fs::path& folder, std::int64_t update, int keep = 9) {
  Arrays arrays;
  std::iota(arrays.weights.begin(), arrays.weights.end(), static_cast<float>(update));
  arrays.mean[5] = static_cast<float>(-update);
  write_snapshot(folder, state_at(update), arrays.list(), keep);
}

// The update that is read, with all its values right; -1: none.
std::int64_t load(const fs::path& folder) {
  Arrays arrays;
  auto state = read_snapshot(folder, arrays.list(), "job");
  if (!state) return -1;
  EXPECT_EQ(arrays.weights[999], static_cast<float>(state->update + 999));
  EXPECT_EQ(arrays.mean[5], static_cast<float>(-state->update));
  EXPECT_EQ(state->metrics_bytes, 100 * state->update);
  EXPECT_EQ(state->device_seconds, 12.5 * static_cast<double>(state->update));
  return state->update;
}

TEST(Snapshot, ComesBackAsItWas) {
  test::TemporaryFolder folder;
  EXPECT_EQ(load(folder.path()), -1);
  save(folder.path(), 7);
  EXPECT_EQ(load(folder.path()), 7);
}

TEST(Snapshot, NewestByNumberAndOnlyTheLastAreKept) {
  test::TemporaryFolder folder;
  for (int update : {8, 9, 10, 100}) save(folder.path(), update, 2);
  EXPECT_EQ(load(folder.path()), 100);
  EXPECT_FALSE(fs::exists(folder / "9"));
  EXPECT_TRUE(fs::exists(folder / "10"));
}

class BrokenSnapshot : public testing::TestWithParam<const char*> {};

TEST_P(BrokenSnapshot, IsSkippedForTheOneBefore) {
  for (const char* damage : {"flip", "cut", "remove", "empty"}) {
    test::TemporaryFolder folder;
    save(folder.path(), 3);
    save(folder.path(), 4);
    fs::path file = folder.path() / "4" / GetParam();
    std::string bytes = test::read(file);
    if (std::string(damage) == "flip") bytes[bytes.size() / 2] ^= 1;
    if (std::string(damage) == "cut") bytes.resize(bytes.size() / 2);
    if (std::string(damage) == "empty") bytes.clear();
    folder.write("4/" + std::string(GetParam()), bytes);
    if (std::string(damage) == "remove") fs::remove(file);
    EXPECT_EQ(load(folder.path()), 3) << damage;
    EXPECT_FALSE(fs::exists(folder / "4")) << damage;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, BrokenSnapshot, testing::Values("state.json", "weights.bin", "mean.bin"),
                         [](const auto& test) { return std::string(test.param).substr(0, 4); });

// Also of bytes that JSON passes over.
TEST(Snapshot, AnyChangedByteOfItsStateIsFound) {
  test::TemporaryFolder folder;
  save(folder.path(), 3);
  const fs::path newest = folder / "4";
  for (std::size_t i = 0;; i += 5) {
    save(folder.path(), 4);
    std::string bytes = test::read(newest / "state.json");
    if (i >= bytes.size()) break;
    bytes[i] = bytes[i] == ' ' ? '\t' : ' ';
    folder.write("4/state.json", bytes);
    EXPECT_EQ(load(folder.path()), 3) << i << ": " << bytes;
  }
}

TEST(Snapshot, OfAnotherJobIsRefusedAndKept) {
  test::TemporaryFolder folder;
  save(folder.path(), 3);
  Arrays arrays;
  try {
    read_snapshot(folder.path(), arrays.list(), "another job");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), HasSubstr("another job"));
  }
  EXPECT_EQ(load(folder.path()), 3);
}

TEST(Snapshot, ThatCantBeReadIsAnErrorAndKept) {
  test::TemporaryFolder folder;
  save(folder.path(), 3);
  save(folder.path(), 4);
  fs::remove(folder / "4/mean.bin");
  fs::create_directory(folder / "4/mean.bin");  // opening it fails, as without rights or memory
  EXPECT_THROW(load(folder.path()), Error);
  EXPECT_TRUE(fs::exists(folder / "4/state.json"));
}

// A limit on the size of files stands in for a full disk: it needs no rights. In a child, for it can't be lifted again.
TEST(Snapshot, FullDiskIsAnErrorAndLeavesTheOneBefore) {
  test::TemporaryFolder folder;
  save(folder.path(), 3, 1);
  pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{2000, 2000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      save(folder.path(), 4, 1);
    } catch (const Error& e) {
      ::_exit(e.cause() == Cause::input ? 42 : 1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(load(folder.path()), 3);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1) << "something is left";
}

}  // namespace
}  // namespace btm
