// The streaming posterior against the formula written out, in probabilities and long double.
#include "btm/mixture/posterior.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "btm/core/error.h"
#include "tests/mixture/random_scores.h"

namespace btm {
namespace {

struct Naive {
  std::vector<long double> weights;  // [tokens, experts]
  std::vector<long double> mixture;  // [tokens]
};

// w_j(t) out of all tokens of the window before t, every sum made anew.
Naive naive(const Scores& scores, const MixtureWeights& settings) {
  Naive out;
  std::size_t experts = scores.count();
  for (std::int64_t t = 0; t < scores.tokens; ++t) {
    std::int64_t start = t / scores.window * scores.window;
    std::vector<long double> w(experts);
    long double sum = 0, p = 0;
    for (std::size_t j = 0; j < experts; ++j) {
      long double evidence = 0;
      for (std::int64_t s = start; s < t; ++s) {
        evidence += std::pow(static_cast<long double>(settings.forgetting), t - 1 - s) * scores.of(j)[s];
      }
      w[j] = settings.prior[j] * std::exp(settings.evidence * evidence);
      sum += w[j];
    }
    for (std::size_t j = 0; j < experts; ++j) {
      out.weights.push_back(w[j] / sum);
      p += w[j] / sum * std::exp(static_cast<long double>(scores.of(j)[t]));
    }
    out.mixture.push_back(p);
  }
  return out;
}

class PosteriorFormula : public testing::TestWithParam<std::pair<double, double>> {};

TEST_P(PosteriorFormula, EqualsTheNaiveOne) {
  auto [forgetting, evidence] = GetParam();
  Scores scores = test::random_scores(4, 70, 16, 1);
  MixtureWeights weights{{0.1, 0.2, 0.3, 0.4}, forgetting, evidence, false};
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
                         testing::Values(std::pair(1.0, 1.0), std::pair(0.0, 1.0), std::pair(0.9, 1.0),
                                         std::pair(0.5, 0.3), std::pair(1.0, 0.0)));

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
