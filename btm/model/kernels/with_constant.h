// Numbers of rows and vectors as constants, so that loops over them are unrolled and what they hold stays in registers.
#pragma once

#include <type_traits>

namespace btm {

// f(std::integral_constant<int, count>()), for 1 <= count <= kMost.
template <int kMost, class F>
inline void with_constant(int count, const F& f) {
  if constexpr (kMost > 1) {
    if (count < kMost) return with_constant<kMost - 1>(count, f);
  }
  f(std::integral_constant<int, kMost>());
}

}  // namespace btm
