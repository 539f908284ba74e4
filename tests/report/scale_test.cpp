#include "btm/report/scale.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace btm {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using Values = std::vector<double>;

TEST(Scale, MapsTheEndsToPixels) {
  Scale linear{10, 30, 100, 500, false};
  EXPECT_DOUBLE_EQ(linear.at(10), 100);
  EXPECT_DOUBLE_EQ(linear.at(20), 300);
  EXPECT_DOUBLE_EQ(linear.at(30), 500);
  Scale log{1, 100, 500, 100, true};
  EXPECT_DOUBLE_EQ(log.at(1), 500);
  EXPECT_DOUBLE_EQ(log.at(10), 300);
}

TEST(Scale, TakesAllValuesIn) {
  for (bool log : {false, true}) {
    Scale scale = scale_over(Values{3, 80, 41}, log, 0, 100);
    EXPECT_EQ(scale.log, log);
    EXPECT_GT(scale.at(3), 0);
    EXPECT_LT(scale.at(80), 100);
  }
}

TEST(Scale, OfNothingOfOneValueAndOfNoNumbers) {
  for (const Values& values : {Values{}, Values{5, 5}, Values{0}, Values{std::nan(""), INFINITY}}) {
    for (bool log : {false, true}) {
      Scale scale = scale_over(values, log, 0, 100);
      EXPECT_LT(scale.low, scale.high);
      EXPECT_FALSE(ticks_of(scale, 5).empty());
      EXPECT_LE(ticks_of(scale, 5).size(), 12u);
    }
  }
  EXPECT_FALSE(scale_over(Values{0, 10}, true, 0, 1).log);  // no logarithm of 0
}

TEST(Scale, HasFewTicksWhateverTheValues) {
  const double value = 135.22987986828883;
  for (const std::vector<double>& values : {std::vector{value, std::nextafter(value, 200.0)},
                                            {5e-324, 1e-310},
                                            {5e-324, 1e3},
                                            {-1.7e308, 1.7e308},
                                            {1e15, 1e15 + 1}}) {
    for (const bool log : {false, true}) {
      const Scale scale = scale_over(values, log, 0, 100);
      EXPECT_TRUE(std::isfinite(scale.at(values[0]))) << values[0];
      const std::vector<double> ticks = ticks_of(scale, 5);
      EXPECT_LT(ticks.size(), 1000u) << values[0];
    }
  }
}

TEST(Scale, TicksAreRoundNumbers) {
  EXPECT_THAT(ticks_of({0, 1, 0, 1, false}, 5),
              ElementsAre(0, DoubleEq(0.2), DoubleEq(0.4), DoubleNear(0.6, 1e-9), DoubleEq(0.8), 1));
  EXPECT_THAT(ticks_of({30, 600, 0, 1, true}, 8), ElementsAre(50, 100, 200, 500));
  EXPECT_THAT(ticks_of({1e3, 1e8, 0, 1, true}, 8), ElementsAre(1e3, 1e4, 1e5, 1e6, 1e7, 1e8));
  EXPECT_THAT(ticks_of({61, 98, 0, 1, true}, 4), ElementsAre(70, 80, 90));  // not a single 1, 2 or 5
  Scale whole = tick_scale(Values{2.2, 7.6}, 6, 0, 1);
  EXPECT_DOUBLE_EQ(whole.low, 2);
  EXPECT_DOUBLE_EQ(whole.high, 8);
}

TEST(Scale, TicksAsText) {
  EXPECT_EQ(tick_text(0.1 + 0.2), "0.3");
  EXPECT_EQ(tick_text(-1e-17), "0");
  EXPECT_EQ(tick_text(2000), "2000");
  EXPECT_EQ(tick_text(1.5e6), "1.5M");
}

}  // namespace
}  // namespace btm
