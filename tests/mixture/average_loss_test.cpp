// The loss of an average against scoring the average, its gradient against differences.
#include "btm/mixture/average_loss.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/settings.h"
#include "btm/mixture/average_weights.h"
#include "btm/mixture/scores.h"
#include "tests/mixture/random_scores.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

TEST(AverageLoss, IsThatOfTheAverageAndItsGradientThatOfDifferences) {
  Json cases = Json::parse(read_file(test::oracle_folder() / "cases.json"));
  std::vector<Member> members;
  for (const char* name : {"a", "b", "c"}) {
    members.push_back(single_member(name, test::oracle_folder() / "models" / name, name));
  }
  Text sample = make_text("a", cases["texts"]["a"]["dev"].get<std::vector<TokenId>>());
  const int window = load_member(members.front()).config.context;
  AverageLoss loss(members, sample, window, {.threads = 2}, Transformer::Use::training);
  std::vector<double> weights{0.5, 0.2, 0.3}, gradient(3);
  double found = loss(weights, gradient);
  EXPECT_NEAR(loss(weights), found, 1e-6);
  AverageLoss for_scoring(members, sample, window, {.threads = 2});
  EXPECT_NEAR(for_scoring(weights), found, 1e-6);
  EXPECT_THROW(for_scoring(weights, gradient), Error);

  Model average = load_member(average_member("average", members, weights));
  std::vector<TokenId> whole(sample.tokens);
  whole.resize(static_cast<std::size_t>(sample.targets() / window * window) + 1);
  EXPECT_NEAR(mean_loss(score_text(*scorer_of(average, "average", window, {}), "average", whole)), found, 1e-5);

  for (std::size_t j = 0; j < 3; ++j) {
    const double h = 1e-2;
    std::vector<double> up = weights, down = weights;
    up[j] += h;
    down[j] -= h;
    EXPECT_NEAR(gradient[j], (loss(up) - loss(down)) / (2 * h), 1e-3) << j;
  }
}

class AverageWeightsTest : public testing::Test {
 protected:
  AverageWeightsTest() {
    const Json cases = Json::parse(read_file(test::oracle_folder() / "cases.json"));
    sample_ = make_text("a", cases["texts"]["a"]["dev"].get<std::vector<TokenId>>());
    for (const char* name : {"a", "b", "c", "seed"}) {
      members_.push_back(single_member(name, test::oracle_folder() / "models" / name, name));
    }
    window_ = load_member(members_.front()).config.context;
    dev_ = test::random_scores(3, sample_.targets(), window_, 1);
  }
  AverageWeights weights(AverageKind kind, int budget) const {
    return average_weights(kind, std::span(members_).first(3), members_.back(), sample_, dev_, {budget, {}},
                           [] { return uniform_prior(3); });
  }

  Text sample_;
  std::vector<Member> members_;
  int window_ = 0;
  Scores dev_;
};

TEST_F(AverageWeightsTest, RunAsManyModelsAsTheBudgetHasAtMost) {
  for (int budget = 1; budget < 8; ++budget) {
    for (const AverageKind kind : {AverageKind::fitted, AverageKind::interpolated}) {
      const int run = weights(kind, budget).evaluations;
      EXPECT_LE(run, budget) << to_word(kind);
      EXPECT_GE(run, std::min(budget, 2)) << to_word(kind);
    }
  }
}

// What doesn't help leaves no trace in what is tried next.
TEST_F(AverageWeightsTest, GreedyKeepsOnlyWhatHelps) {
  const Json cases = Json::parse(read_file(test::oracle_folder() / "cases.json"));
  const Text sample = make_text("odd", cases["texts"]["odd"]["dev"].get<std::vector<TokenId>>());
  members_.back() = single_member("dense", test::oracle_folder() / "models" / "dense", "dense");
  Scores dev{{}, sample.targets(), window_, {}};
  for (const Member& member : members_) {
    const auto own = score_text(*scorer_of(load_member(member), member.name, window_, {}), member.name, sample.tokens);
    dev.experts.push_back(member.name);
    dev.log_probs.insert(dev.log_probs.end(), own.begin(), own.end());
  }
  const AverageWeights found = average_weights(AverageKind::greedy, members_, {}, sample, dev, {});
  EXPECT_EQ(found.evaluations, 4);

  AverageLoss loss(members_, sample, window_, {});
  const auto mean_of = [](const std::vector<std::size_t>& chosen) {
    std::vector<double> weights(4, 0.0);
    for (std::size_t j : chosen) weights[j] = 1.0 / static_cast<double>(chosen.size());
    return weights;
  };
  std::vector<std::size_t> order{0, 1, 2, 3};
  std::ranges::sort(order, {}, [&dev](std::size_t j) { return mean_loss(dev.of(j)); });
  std::vector<std::size_t> chosen{order[0]};
  for (std::size_t j : {order[1], order[2], order[3]}) {
    std::vector<std::size_t> more = chosen;
    more.push_back(j);
    if (loss(mean_of(more)) < loss(mean_of(chosen))) chosen = more;
  }
  EXPECT_EQ(found.experts, mean_of(chosen));
}

TEST_F(AverageWeightsTest, InterpolatedIsAsGoodAsTheBestOfManyShares) {
  const std::span<const Member> two = std::span(members_).subspan(2);  // c and the seed
  const AverageWeights found =
      average_weights(AverageKind::interpolated, two.first(1), two.back(), sample_,
                      test::random_scores(1, sample_.targets(), window_, 1), {}, [] { return uniform_prior(1); });
  AverageLoss loss(two, sample_, window_, {});
  std::vector<double> losses;
  for (int i = 0; i <= 40; ++i) losses.push_back(loss(std::vector{1 - i / 40.0, i / 40.0}));
  const auto best = std::ranges::min_element(losses);
  ASSERT_TRUE(best != losses.begin() && best + 1 != losses.end()) << "the ends are looked at anyway";
  EXPECT_LE(found.loss, *best + 1e-4);
  EXPECT_NEAR(found.seed, static_cast<double>(best - losses.begin()) / 40, 0.05);
  EXPECT_NEAR(found.seed + found.experts.at(0), 1, 1e-12);
}

}  // namespace
}  // namespace btm
