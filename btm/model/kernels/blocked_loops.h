// The loops around the innermost one of a matrix product, those of Goto and van de Geijn 2008 (Anatomy of
// High-Performance Matrix Multiplication): a block of b in the third-level cache, of a in the second, a panel of b in
// the first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "btm/core/buffer.h"
#include "btm/model/kernels/gemm.h"

namespace btm {

constexpr int kBlockRows = 192;      // of a: 288 KiB with the largest depth
constexpr int kBlockColumns = 1920;  // of b: 2.8 MiB
constexpr int kLargestDepth = 384;   // in floats, or what else takes their place

// Of one thread.
struct PackedBlocks {
  Buffer a{std::size_t(kBlockRows) * kLargestDepth}, b{std::size_t(kBlockColumns) * kLargestDepth};
};

// A product as far as all its tiles have it in common, and the tile's place in it.
struct Tile {
  int row, column;    // within the packed blocks
  int rows, columns;  // up to the kernel's kRows and kColumns
  int depth;
  float alpha;
  bool add;
  float* c;
  int c_stride;
};

// op(x) from that row and column on.
inline MatrixView part(MatrixView x, int row, int column) {
  const bool plain = x.op == Op::none;
  return {x.data + std::size_t(plain ? row : column) * x.stride + (plain ? column : row), x.stride, x.op};
}

// f(std::integral_constant<int, count>()), for 1 <= count <= kMost.
template <int kMost, class F>
inline void with_constant(int count, const F& f) {
  if constexpr (kMost > 1) {
    if (count < kMost) return with_constant<kMost - 1>(count, f);
  }
  f(std::integral_constant<int, kMost>());
}

// f(row, column, depth, columns) for the blocks of a b [k, n] in the order in which multiply_blocks() packs them.
template <class Kernel, class F>
void for_each_block_of_b(int k, int n, const F& f) {
  for (int j = 0; j < n; j += kBlockColumns) {
    for (int p = 0; p < k; p += Kernel::kDepth) {
      f(p, j, std::min(Kernel::kDepth, k - p), std::min(kBlockColumns, n - j));
    }
  }
}

// c [m, n] = alpha x op(a) op(b), added to c if `add`. The kernel packs a block of each operand and multiplies a tile.
template <class Kernel>
void multiply_blocks(Kernel kernel, int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c,
                     int c_stride) {
  static_assert(kBlockRows % Kernel::kRows == 0 && kBlockColumns % Kernel::kColumns == 0);
  for_each_block_of_b<Kernel>(k, n, [&](int p, int j, int depth, int columns) {
    kernel.pack_b(depth, columns, part(b, p, j));
    for (int i = 0; i < m; i += kBlockRows) {
      const int rows = std::min(kBlockRows, m - i);
      kernel.pack_a(rows, depth, part(a, i, p));
      for (int column = 0; column < columns; column += Kernel::kColumns) {
        for (int row = 0; row < rows; row += Kernel::kRows) {
          kernel.multiply({row, column, std::min(Kernel::kRows, rows - row),
                           std::min(Kernel::kColumns, columns - column), depth, alpha, add || p > 0,
                           c + std::size_t(i + row) * c_stride + j + column, c_stride});
        }
      }
    }
  });
}

}  // namespace btm
