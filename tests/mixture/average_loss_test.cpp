// The loss of an average against scoring the average, its gradient against differences.
#include "btm/mixture/average_loss.h"

#include <gtest/gtest.h>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/settings.h"
#include "btm/mixture/scores.h"
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

}  // namespace
}  // namespace btm
