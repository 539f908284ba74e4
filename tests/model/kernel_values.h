// Inputs of kernels, and the comparison of what comes out.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "btm/core/random.h"
#include "btm/model/operands.h"

namespace btm::test {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline Floats random_floats(std::size_t count, double scale, std::uint64_t seed) {
  Random random(seed);
  Floats values(count);
  for (float& x : values) x = static_cast<float>(scale * random.normal());
  return values;
}

inline void expect_near(const Floats& found, const Doubles& expected, double tolerance, const char* what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << what << " " << i;
  }
}

// Of numbers about 1: as float32, and with 8 significant bits.
inline double error_of(Operands format, double of_fp32) {
  return format == Operands::fp32 ? of_fp32 : 0.004;
}

inline Doubles to_doubles(const Floats& x) {
  return {x.begin(), x.end()};
}

// d(sum of f's outputs x d_out) / d(input), by central differences in double precision.
inline Doubles numeric_gradient(const std::function<Doubles(const Doubles&)>& f, const Floats& input,
                                const Floats& d_out) {
  Doubles x(input.begin(), input.end()), gradient(input.size());
  auto weighted = [&] {
    Doubles y = f(x);
    return std::inner_product(y.begin(), y.end(), d_out.begin(), 0.0);
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double middle = x[i], step = 1e-5;
    x[i] = middle + step;
    const double above = weighted();
    x[i] = middle - step;
    gradient[i] = (above - weighted()) / (2 * step);
    x[i] = middle;
  }
  return gradient;
}

// To nearest, ties to even, by way of the neighbours' distances.
inline float to_bf16(float x) {
  const auto low = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffff0000);  // towards zero
  const auto high = std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) & 0xffff0000) + 0x10000);
  const double below = std::abs(double(x) - low), above = std::abs(double(high) - x);
  if (below != above) return below < above ? low : high;
  return std::bit_cast<std::uint32_t>(low) & 0x10000 ? high : low;
}

// Numbers that have 8 significant bits.
inline std::vector<bf16> as_bf16(const Floats& values) {
  std::vector<bf16> result;
  for (float x : values) result.push_back({static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16)});
  return result;
}
inline Floats as_floats(const std::vector<bf16>& values) {
  Floats result;
  for (bf16 x : values) result.push_back(float_of(x));
  return result;
}

// Numbers in either format, rounded to it.
class Stored {
 public:
  Stored(Operands format, Floats values) : format_(format), floats_(std::move(values)) {
    if (format == Operands::fp32) return;
    for (float& x : floats_) x = to_bf16(x);
    rounded_ = as_bf16(floats_);
  }
  OperandArray array() {
    return format_ == Operands::fp32 ? OperandArray(floats_.data()) : OperandArray(rounded_.data());
  }
  Floats values() const { return format_ == Operands::fp32 ? floats_ : as_floats(rounded_); }

 private:
  Operands format_;
  Floats floats_;
  std::vector<bf16> rounded_;
};

}  // namespace btm::test
