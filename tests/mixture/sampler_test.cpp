#include "btm/mixture/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/settings.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

TEST(Sampler, LeavesTheProbabilitiesOfTransformers) {
  Json cases = Json::parse(read_file(test::oracle_folder() / "cases.json"))["probabilities"];
  ASSERT_GT(cases.size(), 5u);
  for (const Json& c : cases) {
    SamplerSettings settings{c["temperature"], c["top_k"], c["top_p"], c["min_p"], c["repetition_penalty"], 1};
    auto p = sampling_probabilities(c["logits"].get<std::vector<float>>(), c["history"].get<std::vector<TokenId>>(),
                                    settings);
    auto expected = c["probabilities"].get<std::vector<double>>();
    ASSERT_EQ(p.size(), expected.size());
    for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p[i], expected[i], 1e-6) << settings_json(settings) << i;
  }
}

// As transformers' TopKLogitsWarper: all that are as likely as the k-th; its TopPLogitsWarper keeps as many, whichever.
TEST(Sampler, KeepsEqualsOfTopKAndTheFirstOfTopP) {
  EXPECT_EQ(sampling_probabilities(std::vector<float>{0, 0, 0, 0}, {}, {1, 0, 0.5, 0, 1, 1}),
            (std::vector<float>{0.5, 0.5, 0, 0}));
  const auto thirds = sampling_probabilities(std::vector<float>{1, 1, 1, 0}, {}, {1, 2, 1, 0, 1, 1});
  ASSERT_EQ(thirds.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(thirds[i], 1.0f / 3) << i;
  EXPECT_EQ(thirds[3], 0);
}

TEST(Sampler, KeepsTheLikeliestAtAnyTemperature) {
  for (const double temperature : {1e-300, 1.0, 1e9, 1e300}) {
    const auto p = sampling_probabilities(std::vector<float>{0, 2, 1}, {}, {temperature, 1, 1, 0, 1, 1});
    EXPECT_EQ(p[0], 0) << temperature;
    EXPECT_FLOAT_EQ(p[1], 1) << temperature;
    EXPECT_EQ(p[2], 0) << temperature;
  }
}

TEST(Sampler, TakesAnyPenalty) {
  const std::vector<float> logits{2, -3, 1};
  const std::vector<TokenId> history{0, 1};
  for (const double least : {1e-40, 1e-300}) {
    EXPECT_EQ(sampling_probabilities(logits, history, {1, 0, 1, 0, least, 1})[0], 1) << least;
    EXPECT_LT(sampling_probabilities(logits, history, {1, 0, 1, 0, 1 / least, 1})[1], 1e-30) << least;
  }
}

TEST(Sampler, DrawsInProportion) {
  Sampler sampler({1, 0, 1, 0, 1, 3});
  std::vector<float> logits{std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  std::vector<int> counts(3);
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sampler.next(logits, {}))];
  // Four standard deviations of a binomial share.
  EXPECT_NEAR(counts[0] / double{kDraws}, 0.5, 0.015);
  EXPECT_NEAR(counts[1] / double{kDraws}, 0.3, 0.015);
  EXPECT_NEAR(counts[2] / double{kDraws}, 0.2, 0.015);
}

TEST(Sampler, SameSeedSameTokens) {
  std::vector<float> logits(100, 0.0f);
  auto draw = [&](std::int64_t seed) {
    SamplerSettings settings;
    settings.random_seed = seed;
    Sampler sampler(settings);
    std::vector<TokenId> tokens;
    for (int i = 0; i < 20; ++i) tokens.push_back(sampler.next(logits, {}));
    return tokens;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, TakesTheFirstOfTheLikeliestAtTemperatureZero) {
  Sampler sampler({0, 0, 1, 0, 1, 1});
  EXPECT_EQ(sampler.next(std::vector<float>{1, 3, 3, -1}, {}), 1);
}

TEST(Sampler, RefusesWhatCannotBe) {
  EXPECT_THROW(Sampler({-1, 0, 1, 0, 1, 1}), Error);
  EXPECT_THROW(Sampler({1, -1, 1, 0, 1, 1}), Error);
  EXPECT_THROW(Sampler({1, 0, 0, 0, 1, 1}), Error);
  EXPECT_THROW(Sampler({1, 0, 1.5, 0, 1, 1}), Error);
  EXPECT_THROW(Sampler({1, 0, 1, -0.5, 1, 1}), Error);
  EXPECT_THROW(Sampler({1, 0, 1, 0, 0, 1}), Error);
  Sampler sampler({1, 0, 1, 0, 1, 1});
  EXPECT_THROW(sampler.next(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}, {}), Error);
}

}  // namespace
}  // namespace btm
