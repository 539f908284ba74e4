// bfloat16: the upper half of a float32.
#pragma once

#include <bit>
#include <cstdint>

namespace btm {

struct bf16 {
  std::uint16_t bits;
};

inline float float_of(bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

// To nearest, ties to even; NaN stays NaN.
inline bf16 bf16_of(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}

}  // namespace btm
