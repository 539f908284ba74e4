// The scratch of kernels that sum the columns of a matrix; see columns.cuh.
#pragma once

#include <cstddef>

namespace btm::cuda {

constexpr int kPartSets =
    1024;  // partial sums of each column, at most: eight blocks for each of a large GPU's processors
constexpr int kPartKinds = 3;  // of sums that a kernel leaves at once, at most

// Floats for sums of `width` columns.
inline std::size_t column_partial_floats(int width, int kinds = 1) {
  return std::size_t(kinds) * kPartSets * static_cast<std::size_t>(width);
}

}  // namespace btm::cuda
