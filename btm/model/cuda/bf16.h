// The 16-bit number of the GPU's products: the upper half of a float32.
#pragma once

#include <cstdint>

namespace btm::cuda {

struct bf16 {
  std::uint16_t bits;
};

}  // namespace btm::cuda
