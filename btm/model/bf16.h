// bfloat16: the upper half of a float32.
#pragma once

#include <cstdint>

namespace btm {

struct bf16 {
  std::uint16_t bits;
};

}  // namespace btm
