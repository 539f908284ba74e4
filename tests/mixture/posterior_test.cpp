// The streaming posterior against the formula written out, in probabilities and long double.
#include "btm/mixture/posterior.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "btm/core/error.h"
#include "tests/mixture/random_scores.h"

namespace btm {
namespace {

struct Naive {
  std::vector<long double> weights;  // [tokens, experts]
  std::vector<long double> mixture;  // [tokens]
};

using Exact = std::vector<long double>;  // [experts]

void normalise(Exact& w) {
  const long double sum = std::accumulate(w.begin(), w.end(), 0.0L);
  for (long double& weight : w) weight /= sum;
}

// Before token t out of the tokens from `start` on, every sum made anew.
Exact posterior_of(const Scores& scores, const MixtureWeights& settings, const Exact& prior, std::int64_t start,
                   std::int64_t t) {
  Exact w = prior;
  for (std::size_t j = 0; j < w.size(); ++j) {
    long double evidence = 0;
    for (std::int64_t s = start; s < t; ++s) {
      evidence += std::pow(static_cast<long double>(settings.forgetting), t - 1 - s) * scores.of(j)[s];
    }
    w[j] *= std::exp(settings.evidence * evidence);
  }
  normalise(w);
  return w;
}

void keep_largest_weights(Exact& w, int k) {
  Exact sorted = w;
  std::sort(sorted.rbegin(), sorted.rend());
  for (long double& weight : w) weight = weight >= sorted[k - 1] ? weight : 0;
  normalise(w);
}

// w_j(t) out of all tokens of the window before t.
Naive naive(const Scores& scores, const MixtureWeights& settings) {
  Naive out;
  Exact prior(settings.prior.begin(), settings.prior.end());
  for (std::int64_t t = 0; t < scores.tokens; ++t) {
    const std::int64_t start = t / scores.window * scores.window;
    if (settings.updating && t > 0 && t == start) {
      const Exact last = posterior_of(scores, settings, prior, t - scores.window, t);
      for (std::size_t j = 0; j < prior.size(); ++j) prior[j] = 0.7L * prior[j] + 0.3L * last[j];
    }
    Exact w = posterior_of(scores, settings, prior, start, t);
    if (settings.by_token > 0) keep_largest_weights(w, settings.by_token);
    long double p = 0;
    for (std::size_t j = 0; j < w.size(); ++j) p += w[j] * std::exp(static_cast<long double>(scores.of(j)[t]));
    out.weights.insert(out.weights.end(), w.begin(), w.end());
    out.mixture.push_back(p);
  }
  return out;
}

// Forgetting, evidence, updating, by_token.
class PosteriorFormula : public testing::TestWithParam<std::tuple<double, double, bool, int>> {};

TEST_P(PosteriorFormula, EqualsTheNaiveOne) {
  auto [forgetting, evidence, updating, by_token] = GetParam();
  Scores scores = test::random_scores(4, 70, 16, 1);
  MixtureWeights weights{{0.1, 0.2, 0.3, 0.4}, forgetting, evidence, updating, by_token};
  Naive expected = naive(scores, weights);
  std::vector<double> log_probs = mix(scores, weights), course = posterior_course(scores, weights);
  ASSERT_EQ(log_probs.size(), 70u);
  ASSERT_EQ(course.size(), 71u * 4);
  for (std::size_t t = 0; t < 70; ++t) {
    EXPECT_NEAR(log_probs[t], static_cast<double>(std::log(expected.mixture[t])), 1e-6) << t;
  }
  for (std::size_t i = 0; i < expected.weights.size(); ++i) {
    EXPECT_NEAR(course[i], static_cast<double>(expected.weights[i]), 1e-6) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, PosteriorFormula,
                         testing::Values(std::tuple(1.0, 1.0, false, 0), std::tuple(0.0, 1.0, false, 0),
                                         std::tuple(0.9, 1.0, false, 0), std::tuple(0.5, 0.3, false, 0),
                                         std::tuple(1.0, 0.0, false, 0)));

// Of so little evidence that each expert has a share in the posterior that moves the prior.
INSTANTIATE_TEST_SUITE_P(UpdatingAndByToken, PosteriorFormula,
                         testing::Values(std::tuple(1.0, 0.05, true, 0), std::tuple(1.0, 0.05, false, 2),
                                         std::tuple(1.0, 0.05, true, 2), std::tuple(0.9, 0.05, true, 1)));

TEST(Posterior, GoesBackToThePriorAtEachWindow) {
  Scores scores = test::random_scores(3, 12, 4, 2);
  std::vector<double> course = posterior_course(scores, {{0.5, 0.25, 0.25}, 1, 1, false});
  for (std::size_t t : {0u, 4u, 8u}) {
    EXPECT_NEAR(course[t * 3], 0.5, 1e-12);
    EXPECT_NEAR(course[t * 3 + 1], 0.25, 1e-12);
  }
}

TEST(Posterior, StaysExactWhereLikelihoodsUnderflow) {
  // 4000 tokens of 50 nats: p = e^-200000; the experts differ by 1e-3 nats a token, 4 nats in all.
  Posterior posterior({{0.5, 0.5}, 1, 1, false});
  for (int t = 0; t < 4000; ++t) posterior.observe(std::vector<float>{-50.0f, -50.001f});
  std::vector<double> weights(2);
  posterior.weights(weights);
  double difference = 4000 * (static_cast<double>(-50.0f) - static_cast<double>(-50.001f));
  EXPECT_NEAR(weights[0], 1 / (1 + std::exp(-difference)), 1e-9);
}

TEST(Posterior, BearsImpossibleTokens) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  for (double forgetting : {0.0, 0.5, 1.0}) {
    for (double evidence : {0.0, 1.0}) {
      Posterior posterior({{0.5, 0.5, 0}, forgetting, evidence, false});
      EXPECT_NEAR(posterior.observe(std::vector<float>{kNever, -1, -2}), std::log(0.5) - 1, 1e-9);
      EXPECT_LT(posterior.observe(std::vector<float>{kNever, kNever, -1}), -1e29);
      std::vector<double> weights(3);
      posterior.weights(weights);
      EXPECT_NEAR(weights[0] + weights[1], 1, 1e-12);
      EXPECT_EQ(weights[2], 0);
    }
  }
}

TEST(Posterior, UpdatingCarriesThePriorAlong) {
  MixtureWeights settings{{0.5, 0.5}, 1, 1, true};
  Posterior posterior(settings);
  posterior.observe(std::vector<float>{-1, -3});
  double after = 1 / (1 + std::exp(-2.0));
  posterior.restart();
  std::vector<double> weights(2);
  posterior.weights(weights);
  EXPECT_NEAR(weights[0], 0.7 * 0.5 + 0.3 * after, 1e-12);
}

TEST(Posterior, DropsWhoseShareStaysBelow) {
  MixtureWeights settings{{0.5, 0.3, 0.2}, 1, 1, false};
  settings.drop_below = 0.25;
  Posterior posterior(settings);
  const auto expect_weights = [&posterior](const std::vector<double>& expected) {
    std::vector<double> weights(3);
    posterior.weights(weights);
    for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(weights[j], expected[j], 1e-12) << j;
  };
  const std::vector<float> no_evidence = {-1, -1, -1};
  for (int t = 0; t < kDropPatience; ++t) {
    EXPECT_TRUE(posterior.runs(2)) << t;
    expect_weights({0.5, 0.3, 0.2});
    posterior.observe(no_evidence);
  }
  for (int t = 0; t < 2 * kDropPatience; ++t) {
    EXPECT_TRUE(posterior.runs(0));
    EXPECT_TRUE(posterior.runs(1));
    EXPECT_FALSE(posterior.runs(2));
    expect_weights({0.625, 0.375, 0});
    posterior.observe(no_evidence);
  }
  posterior.restart();
  EXPECT_TRUE(posterior.runs(2));
  expect_weights({0.5, 0.3, 0.2});
}

TEST(Posterior, DropsNobodyWhoComesBackInTime) {
  MixtureWeights settings{{0.5, 0.5}, 0, 1, false};  // the last token alone counts
  settings.drop_below = 0.25;
  Posterior posterior(settings);
  const std::vector<float> worse = {-1, -3}, alike = {-1, -1};
  for (int round = 0; round < 3; ++round) {
    for (int t = 0; t + 1 < kDropPatience; ++t) posterior.observe(worse);
    EXPECT_TRUE(posterior.runs(1)) << round;
    posterior.observe(alike);
  }
  for (int t = 0; t < kDropPatience; ++t) posterior.observe(worse);
  EXPECT_FALSE(posterior.runs(1));
}

TEST(Posterior, NeverDropsTheLargest) {
  MixtureWeights settings{{0.5, 0.3, 0.2}, 1, 1, false};
  settings.drop_below = 0.9;
  Posterior posterior(settings);
  for (int t = 0; t < 3 * kDropPatience; ++t) posterior.observe(std::vector<float>{-1, -1, -1});
  std::vector<double> weights(3);
  posterior.weights(weights);
  EXPECT_THAT(weights, testing::ElementsAre(1, 0, 0));
}

TEST(Posterior, RefusesSettingsOutOfRange) {
  EXPECT_THROW(Posterior({{0.5, 0.6}, 1, 1, false}), Error);
  EXPECT_THROW(Posterior({{1.5, -0.5}, 1, 1, false}), Error);
  EXPECT_THROW(Posterior({{std::nan(""), 1}, 1, 1, false}), Error);
  EXPECT_THROW(Posterior({{}, 1, 1, false}), Error);
  EXPECT_THROW(Posterior({{1}, 1.1, 1, false}), Error);
  EXPECT_THROW(Posterior({{1}, -0.1, 1, false}), Error);
  EXPECT_THROW(Posterior({{1}, 1, -1, false}), Error);
  Scores scores = test::random_scores(3, 8, 4, 3);
  EXPECT_THROW(mix(scores, {{0.5, 0.5}, 1, 1, false}), Error);
}

}  // namespace
}  // namespace btm
