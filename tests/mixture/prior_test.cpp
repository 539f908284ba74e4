#include "btm/mixture/prior.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/mixture/random_scores.h"

namespace btm {
namespace {

using testing::ElementsAre;

double fixed_mixture_loss(const Scores& scores, const std::vector<double>& weights) {
  double loss = 0;
  for (std::int64_t t = 0; t < scores.tokens; ++t) {
    double p = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) p += weights[j] * std::exp(static_cast<double>(scores.of(j)[t]));
    loss -= std::log(p);
  }
  return loss;
}

TEST(CachedPrior, IsTheMovingAverageOfThePosteriors) {
  // Three windows of 2, 2 and 1 tokens; the posterior after each by hand, on top of the prior so far.
  Scores sample{{"a", "b"}, 5, 2, {-1.0f, -2.0f, -0.5f, -3.0f, -1.0f, -2.0f, -1.0f, -0.7f, -2.0f, -4.0f}};
  double prior = 0.5;
  for (auto [a, b] : {std::pair(-3.0, -3.0), std::pair(-3.5, -2.7), std::pair(-1.0, -4.0)}) {
    double posterior = prior * std::exp(a) / (prior * std::exp(a) + (1 - prior) * std::exp(b));
    prior = 0.7 * prior + 0.3 * posterior;
  }
  EXPECT_NEAR(cached_prior(sample, 1)[0], prior, 1e-6);
}

TEST(CachedPrior, LooksAtTheLastTokenWithoutMemory) {
  Scores sample{{"a", "b"}, 3, 3, {-9.0f, -9.0f, -1.0f, -1.0f, -1.0f, -2.0f}};
  EXPECT_NEAR(cached_prior(sample, 0)[0], 0.7 * 0.5 + 0.3 / (1 + std::exp(-1.0)), 1e-6);
}

TEST(MeanPosterior, WeighsAllWindowsAlike) {
  Scores sample{{"a", "b"}, 5, 2, {-1.0f, -2.0f, -0.5f, -3.0f, -1.0f, -2.0f, -1.0f, -0.7f, -2.0f, -4.0f}};
  double mean = 0;
  for (auto [a, b] : {std::pair(-3.0, -3.0), std::pair(-3.5, -2.7), std::pair(-1.0, -4.0)}) {
    mean += std::exp(a) / (std::exp(a) + std::exp(b)) / 3;
  }
  EXPECT_NEAR(mean_posterior(sample)[0], mean, 1e-6);
  EXPECT_NEAR(mean_posterior(sample)[1], 1 - mean, 1e-6);
  EXPECT_THAT(mean_posterior({{"a", "b"}, 0, 2, {}}), ElementsAre(0.5, 0.5));
}

TEST(FittedPrior, IsTheBestFixedMixtureOfTwo) {
  Scores sample = test::random_scores(2, 3000, 100, 4, 0.3);
  double best = 0, best_loss = 1e300;
  for (int i = 1; i < 1000; ++i) {
    double weight = i / 1000.0;
    if (double loss = fixed_mixture_loss(sample, {weight, 1 - weight}); loss < best_loss) {
      best_loss = loss;
      best = weight;
    }
  }
  // The floor moves it by at most 0.02 / 2.
  EXPECT_NEAR(fitted_prior(sample)[0], (1 - kPriorFloor) * best + kPriorFloor / 2, 0.005);
}

TEST(FittedPrior, LeavesEveryExpertTheFloor) {
  Scores sample = test::random_scores(4, 500, 50, 5, 5.0);
  std::vector<double> prior = fitted_prior(sample);
  EXPECT_NEAR(std::accumulate(prior.begin(), prior.end(), 0.0), 1, 1e-12);
  for (double weight : prior) EXPECT_GE(weight, kPriorFloor / 4 - 1e-12);
  EXPECT_EQ(std::max_element(prior.begin(), prior.end()) - prior.begin(), 3);
}

TEST(FittedPrior, IsUniformForAnEmptyOrImpossibleSample) {
  EXPECT_THAT(fitted_prior(Scores{{"a", "b"}, 0, 8, {}}), ElementsAre(0.5, 0.5));
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(fitted_prior(Scores{{"a", "b"}, 2, 8, {kNever, kNever, kNever, kNever}}), ElementsAre(0.5, 0.5));
}

TEST(ChooseWeights, FittedIsNoWorseOnTheSampleThanWhatItChoosesFrom) {
  Scores sample = test::random_scores(3, 1200, 64, 6, 0.2);
  double fitted = mixture_loss(sample, choose_weights({PriorKind::fitted, std::nullopt}, sample));
  std::vector<double> prior = fitted_prior(sample);
  for (double g : {0.0, 0.9, 1.0}) {
    for (double evidence : {0.0, 0.5, 1.0}) EXPECT_LE(fitted, mixture_loss(sample, {prior, g, evidence, false}) + 1e-9);
  }
}

TEST(ChooseWeights, FittedFindsThatTheTextKeepsToOneExpert) {
  // Every window is written by one expert: exact Bayes finds out which; the fixed mixture can't.
  Scores sample{{"a", "b"}, 640, 32, {}};
  for (int j = 0; j < 2; ++j) {
    for (int t = 0; t < 640; ++t) sample.log_probs.push_back((t / 32) % 2 == j ? -1.0f : -2.0f);
  }
  MixtureWeights weights = choose_weights({PriorKind::fitted, std::nullopt}, sample);
  EXPECT_EQ(weights.forgetting, 1);
  EXPECT_EQ(weights.evidence, 1);
  EXPECT_LT(mixture_loss(sample, weights), 0.9 * fixed_mixture_loss(sample, {0.5, 0.5}));
}

TEST(ChooseWeights, TakesTheForgettingFactorAsked) {
  Scores sample = test::random_scores(3, 200, 16, 7);
  for (PriorKind kind : {PriorKind::fitted, PriorKind::cached, PriorKind::uniform, PriorKind::updating}) {
    MixtureWeights weights = choose_weights({kind, 0.5}, sample);
    EXPECT_EQ(weights.forgetting, 0.5);
    EXPECT_EQ(weights.updating, kind == PriorKind::updating);
  }
  EXPECT_EQ(choose_weights({PriorKind::cached, std::nullopt}, sample).forgetting, 1);
}

TEST(ChooseWeights, TakesSharesThatAreKnownAndAsksForThemWhereTheyCount) {
  Scores sample = test::random_scores(3, 400, 32, 8, 0.2);
  for (PriorKind kind : {PriorKind::fitted, PriorKind::cached, PriorKind::uniform, PriorKind::updating}) {
    int asked = 0;
    const MixtureWeights weights = choose_weights({kind, std::nullopt}, sample);
    const MixtureWeights known = choose_weights({kind, std::nullopt}, sample, [&] {
      ++asked;
      return mixture_shares(sample);
    });
    EXPECT_EQ(asked, kind == PriorKind::fitted ? 1 : 0);
    EXPECT_EQ(known.prior, weights.prior);
    EXPECT_EQ(known.forgetting, weights.forgetting);
    EXPECT_EQ(known.evidence, weights.evidence);
  }
  EXPECT_NE(fitted_prior(sample, [] { return uniform_prior(3); }), fitted_prior(sample));
}

TEST(DropSmall, LooksAtTheLargest) {
  std::vector<double> weights = {0.6, 0.3999, 0.0001};
  drop_small(weights);
  EXPECT_THAT(weights, ElementsAre(0.6, 0.3999, 0));
  weights = {2000, 1.9, 2.1, 0};
  drop_small(weights);
  EXPECT_THAT(weights, ElementsAre(2000, 0, 2.1, 0));
}

TEST(KeepLargest, LeavesTheWeightsAsTheyAre) {
  std::vector<double> weights = {0.1, 0.4, 0.2, 0.3};
  keep_largest(weights, 2);
  EXPECT_THAT(weights, ElementsAre(0, 0.4, 0, 0.3));
  keep_largest(weights, 0);
  EXPECT_THAT(weights, ElementsAre(0, 0.4, 0, 0.3));
}

TEST(Largest, KeepsTheOrderOfTheForestAndBreaksTiesByIt) {
  EXPECT_THAT(largest({0.1, 0.4, 0.2, 0.3}, 2), ElementsAre(1, 3));
  EXPECT_THAT(largest({0.25, 0.25, 0.25, 0.25}, 2), ElementsAre(0, 1));
  EXPECT_THAT(largest({0.5, 0.5}, 5), ElementsAre(0, 1));
}

}  // namespace
}  // namespace btm
