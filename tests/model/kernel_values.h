// Inputs of kernels, and the comparison of what comes out.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "btm/core/random.h"

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

}  // namespace btm::test
