#include "btm/mixture/member.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/mixture/average_weights.h"

namespace btm {
namespace {

std::vector<Member> members_named(const std::vector<std::string>& names) {
  std::vector<Member> members;
  for (const std::string& name : names) members.push_back(single_member(name, "/forest/" + name, "sha256 of " + name));
  return members;
}

TEST(AverageMember, NormalisesWeights) {
  const Member average = average_member("mean", members_named({"a", "b", "c"}), std::vector<double>{4, 0, 0.001});
  ASSERT_EQ(average.sources.size(), 2u);
  EXPECT_EQ(average.sources[1].name, "c");
  EXPECT_DOUBLE_EQ(average.sources[0].weight, 4 / 4.001);
  EXPECT_DOUBLE_EQ(average.sources[1].weight, 0.001 / 4.001);
}

TEST(WeightedAverage, LeavesOutSmallWeightsAndNormalisesTheRest) {
  const std::vector<Member> members = members_named({"a", "b", "c"});
  const Member average = weighted_average("mean", members, {}, {{0.6, 0.3999, 0.0001}});
  EXPECT_EQ(average.name, "mean");
  ASSERT_EQ(average.sources.size(), 2u);
  EXPECT_EQ(average.sources[0].name, "a");
  EXPECT_EQ(average.sources[0].folder, "/forest/a");
  EXPECT_EQ(average.sources[1].name, "b");
  EXPECT_EQ(average.sources[1].sha256, "sha256 of b");
  EXPECT_NEAR(average.sources[0].weight, 0.6 / 0.9999, 1e-12);
  EXPECT_NEAR(average.sources[1].weight, 0.3999 / 0.9999, 1e-12);
}

TEST(AverageMember, OfOneIsThatOne) {
  const std::vector<Member> members = members_named({"a", "b", "c"});
  const Member average = average_member("mean", members, std::vector<double>{0, 0.9995, 0});
  ASSERT_EQ(average.sources.size(), 1u);
  EXPECT_EQ(average.sources[0].name, "b");
  EXPECT_EQ(average.sources[0].weight, 1);
  EXPECT_EQ(average.identity, members[1].identity) << "its scores are the expert's";
  EXPECT_THROW(average_member("mean", members, std::vector<double>{0, 0, 0}), Error);
  EXPECT_THROW(average_member("mean", members, std::vector<double>{1e308, 1e308, 0}), Error);
}

TEST(AverageMember, IsKnownByWhatItIsMadeOf) {
  const std::vector<Member> members = members_named({"a", "b"}), others = members_named({"a", "c"});
  const auto identity = [](const std::vector<Member>& of, const std::vector<double>& weights) {
    return average_member("mean", of, weights).identity;
  };
  EXPECT_EQ(identity(members, {0.5, 0.5}), identity(members, {2, 2}));
  EXPECT_NE(identity(members, {0.5, 0.5}), identity(members, {0.6, 0.4}));
  EXPECT_NE(identity(members, {0.5, 0.5}), identity(others, {0.5, 0.5}));
}

}  // namespace
}  // namespace btm
