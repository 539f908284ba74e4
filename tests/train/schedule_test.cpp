#include "btm/train/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace btm {
namespace {

TrainingSettings with(ScheduleKind kind) {
  TrainingSettings settings;
  settings.learning_rate = 2;
  settings.final_learning_rate = 0.1;
  settings.warmup = 0.4;
  settings.schedule = kind;
  settings.power = 2;
  return settings;
}

std::vector<double> rates(const TrainingSettings& settings, int updates) {
  std::vector<double> result;
  for (int u = 0; u < updates; ++u) result.push_back(learning_rate(settings, u, updates));
  return result;
}

void expect_rates(ScheduleKind kind, const std::vector<double>& expected) {
  std::vector<double> found = rates(with(kind), static_cast<int>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12) << "update " << i;
}

// Ten updates, four of them warm-up: the decay runs over t = 1/6 ... 6/6.
TEST(Schedule, Constant) {
  expect_rates(ScheduleKind::constant, {0.5, 1, 1.5, 2, 2, 2, 2, 2, 2, 2});
}

TEST(Schedule, Linear) {
  expect_rates(ScheduleKind::linear, {0.5, 1, 1.5, 2, 1.7, 1.4, 1.1, 0.8, 0.5, 0.2});
}

TEST(Schedule, Cosine) {
  const double root = std::sqrt(3) / 2;  // cos(30 degrees)
  expect_rates(ScheduleKind::cosine, {0.5, 1, 1.5, 2, 0.2 + 0.9 * (1 + root), 0.2 + 0.9 * 1.5, 0.2 + 0.9,
                                      0.2 + 0.9 * 0.5, 0.2 + 0.9 * (1 - root), 0.2});
}

TEST(Schedule, Polynomial) {
  expect_rates(ScheduleKind::polynomial, {0.5, 1, 1.5, 2, 0.2 + 1.8 * 25 / 36, 0.2 + 1.8 * 16 / 36, 0.2 + 1.8 * 9 / 36,
                                          0.2 + 1.8 * 4 / 36, 0.2 + 1.8 * 1 / 36, 0.2});
}

TEST(Schedule, ReachesThePeakHoweverFewTheUpdates) {
  for (double warmup : {0.0, 0.08, 0.5, 1.0}) {
    for (int updates = 1; updates < 30; ++updates) {
      TrainingSettings settings = with(ScheduleKind::cosine);
      settings.warmup = warmup;
      std::vector<double> found = rates(settings, updates);
      EXPECT_DOUBLE_EQ(*std::max_element(found.begin(), found.end()), 2) << warmup << " of " << updates;
      if (updates > 1 && warmup < 1) {
        EXPECT_NEAR(found.back(), 0.2, 1e-12) << warmup << " of " << updates;
      }
    }
  }
}

}  // namespace
}  // namespace btm
