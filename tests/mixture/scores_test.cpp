#include "btm/mixture/scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "btm/core/error.h"
#include "btm/model/checkpoint.h"
#include "tests/mixture/planted_forest.h"

namespace btm {
namespace {

struct ScoreText : test::PlantedForest {};

TEST_F(ScoreText, ScoresATextInWindowsWhateverItsLength) {
  Model model = load_model(test::oracle_folder() / "models" / "a");
  auto tokens = cases_["texts"]["odd"]["test"].get<std::vector<TokenId>>();
  auto expected = cases_["log_probs"].get<std::vector<double>>();
  tokens.resize(expected.size() + 1);
  const auto scorer = scorer_of(model, "a", model.config.context, {Device::cpu, 2});
  std::vector<float> found = score_text(*scorer, "a", tokens);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << i;
  tokens.resize(2);
  EXPECT_NEAR(score_text(*scorer, "a", tokens).at(0), expected[0], 1e-4);
}

TEST_F(ScoreText, RefusesToScoreWhatCannotBe) {
  Model model = load_model(test::oracle_folder() / "models" / "a");
  const auto scorer = scorer_of(model, "a", 8, {});
  EXPECT_THROW(scorer_of(model, "a", 17, {}), Error);
  EXPECT_THROW(score_text(*scorer, "a", {1}), Error);
  EXPECT_THROW(score_text(*scorer, "a", {1, 5000}), Error);
  model.parameters.data()[0] = std::nanf("");
  EXPECT_THAT(
      [&] {
        score_text(*scorer, "a", {0, 1, 2});
      },
      testing::ThrowsMessage<Error>(testing::HasSubstr("damaged")));
}

}  // namespace
}  // namespace btm
