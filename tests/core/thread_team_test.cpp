#include "btm/core/thread_team.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>
#include <vector>

namespace btm {
namespace {

TEST(ThreadTeam, CallsEveryIndexOnceOnItsOwnThread) {
  for (int threads : {1, 2, 5}) {
    ThreadTeam team(threads);
    ASSERT_EQ(team.size(), threads);
    std::vector<int> calls(static_cast<std::size_t>(threads));
    std::vector<std::thread::id> first(calls.size()), ids(calls.size());
    for (int round = 0; round < 200; ++round) {
      team.run([&](int i) {
        ++calls[static_cast<std::size_t>(i)];
        ids[static_cast<std::size_t>(i)] = std::this_thread::get_id();
      });
      if (round == 0) first = ids;
      ASSERT_EQ(ids, first);
    }
    EXPECT_EQ(calls, std::vector<int>(calls.size(), 200));
    EXPECT_EQ(ids[0], std::this_thread::get_id());
  }
}

TEST(ThreadTeam, PassesExceptionsOnAndWorksOn) {
  ThreadTeam team(3);
  for (int bad = 0; bad < 3; ++bad) {
    EXPECT_THROW(team.run([&](int i) {
      if (i == bad) throw std::runtime_error("no");
    }),
                 std::runtime_error);
  }
  int sum = 0;
  std::vector<int> parts(3);
  team.run([&](int i) { parts[static_cast<std::size_t>(i)] = i + 1; });
  for (int part : parts) sum += part;
  EXPECT_EQ(sum, 6);
}

}  // namespace
}  // namespace btm
