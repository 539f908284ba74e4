#include "btm/model/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>

namespace btm {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Narrow {
  Dtype dtype;
  int mantissa_bits;
  int exponent_bits;
};

void PrintTo(const Narrow& format, std::ostream* out) {
  *out << dtype_name(format.dtype);
}

// The value of a 16-bit pattern by IEEE 754's definition.
double value_of(const Narrow& format, int pattern) {
  int exponent = (pattern >> format.mantissa_bits) & ((1 << format.exponent_bits) - 1);
  int mantissa = pattern & ((1 << format.mantissa_bits) - 1);
  int bias = (1 << (format.exponent_bits - 1)) - 1;
  double sign = pattern & 0x8000 ? -1 : 1;
  if (exponent == (1 << format.exponent_bits) - 1) return mantissa ? std::nan("") : sign * kInfinity;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - format.mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << format.mantissa_bits), exponent - bias - format.mantissa_bits);
}

std::uint16_t narrowed(Dtype dtype, double value) {
  std::uint16_t pattern = 0;
  from_double(dtype, {&value, 1}, reinterpret_cast<char*>(&pattern));
  return pattern;
}

class NarrowFloat : public testing::TestWithParam<Narrow> {};

TEST_P(NarrowFloat, EveryPatternHasItsValue) {
  for (int i = 0; i < (1 << 16); ++i) {
    auto pattern = static_cast<std::uint16_t>(i);
    float value = 0;
    bool finite = to_float(GetParam().dtype, {reinterpret_cast<const char*>(&pattern), sizeof pattern}, {&value, 1});
    double expected = value_of(GetParam(), i);
    ASSERT_EQ(finite, std::isfinite(expected)) << i;
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << i;
    } else {
      ASSERT_EQ(value, expected) << i;
      ASSERT_EQ(std::signbit(value), std::signbit(expected)) << i;
    }
  }
}

// Around the middle of every two neighbours; the doubles next to it would round wrongly by way of a float.
TEST_P(NarrowFloat, RoundsOnceToNearestEven) {
  int infinity = ((1 << GetParam().exponent_bits) - 1) << GetParam().mantissa_bits;
  for (int i = 0; i < infinity; ++i) {
    double low = value_of(GetParam(), i), high = value_of(GetParam(), i + 1);
    if (i + 1 == infinity) high = low + (low - value_of(GetParam(), i - 1));
    double middle = low + (high - low) / 2;
    ASSERT_EQ(narrowed(GetParam().dtype, low), i);
    ASSERT_EQ(narrowed(GetParam().dtype, std::nextafter(middle, low)), i);
    ASSERT_EQ(narrowed(GetParam().dtype, middle), i + (i & 1));
    ASSERT_EQ(narrowed(GetParam().dtype, std::nextafter(middle, kInfinity)), i + 1);
    ASSERT_EQ(narrowed(GetParam().dtype, -std::nextafter(middle, kInfinity)), (i + 1) | 0x8000);
  }
}

TEST_P(NarrowFloat, WhatIsNotFiniteStaysSoAndIsReported) {
  for (double value : {kInfinity, -kInfinity, 1e300, std::nan("")}) {
    std::uint16_t pattern = 0;
    EXPECT_FALSE(from_double(GetParam().dtype, {&value, 1}, reinterpret_cast<char*>(&pattern)));
    EXPECT_EQ(std::isnan(value_of(GetParam(), pattern)), std::isnan(value));
    if (!std::isnan(value)) {
      EXPECT_EQ(value_of(GetParam(), pattern), std::copysign(kInfinity, value));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, NarrowFloat, testing::Values(Narrow{Dtype::bf16, 7, 8}, Narrow{Dtype::f16, 10, 5}));

TEST(Dtype, NamesAndSizesAreSafetensors) {
  EXPECT_EQ(find_dtype("BF16"), Dtype::bf16);
  EXPECT_EQ(find_dtype("BOOL"), Dtype::boolean);
  EXPECT_EQ(find_dtype("F8_E4M3"), std::nullopt);
  EXPECT_EQ(dtype_name(Dtype::i64), "I64");
  EXPECT_EQ(byte_size(Dtype::f64), 8u);
  EXPECT_EQ(byte_size(Dtype::boolean), 1u);
  EXPECT_TRUE(is_float(Dtype::f16));
  EXPECT_FALSE(is_float(Dtype::i16));
}

TEST(Dtype, DoublesTooLargeForFloatAreReported) {
  double value = 1e39;
  float narrow = 0;
  EXPECT_FALSE(to_float(Dtype::f64, {reinterpret_cast<const char*>(&value), sizeof value}, {&narrow, 1}));
}

}  // namespace
}  // namespace btm
