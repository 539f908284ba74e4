#include "btm/core/share.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <thread>
#include <vector>

namespace btm {
namespace {

TEST(Share, SharesCoverAllInOrderAndAreNearlyEqual) {
  for (const std::size_t count :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{1} << 50}) {
    for (const int members : {1, 2, 3, 64}) {
      const Share first{0, members};
      std::size_t end = 0;
      for (int member = 0; member < members; ++member) {
        const Share share = first.of(member);
        EXPECT_EQ(share.begin(count), end);
        EXPECT_LE(share.size(count), first.largest(count));
        EXPECT_GE(share.size(count) + 1, first.largest(count));
        end = share.end(count);
      }
      EXPECT_EQ(end, count) << members;
    }
  }
}

TEST(Share, MembersSeeWhatOthersWroteBeforeTheyMet) {
  constexpr int kMembers = 4, kRounds = 50;
  std::barrier<> meeting(kMembers);
  std::vector<int> written(kMembers), sums(kMembers);
  std::vector<std::thread> threads;
  for (int member = 0; member < kMembers; ++member) {
    threads.emplace_back([&, share = Share{member, kMembers, &meeting}] {
      for (int round = 1; round <= kRounds; ++round) {
        written[static_cast<std::size_t>(share.member)] = round;
        share.meet();
        for (const int number : written) sums[static_cast<std::size_t>(share.member)] += number;
        share.meet();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int sum : sums) EXPECT_EQ(sum, kMembers * kRounds * (kRounds + 1) / 2);
  Share{}.meet();  // alone: at once
}

}  // namespace
}  // namespace btm
