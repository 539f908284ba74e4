// Products of large matrices in the loops of Goto and van de Geijn 2008 (Anatomy of High-Performance Matrix
// Multiplication): a block of b in the third-level cache, of a in the second, a panel of b in the first.
#pragma once

#include <algorithm>
#include <cstddef>

#include "btm/core/buffer.h"
#include "btm/model/kernels/gemm_kernel.h"

namespace btm {

constexpr int kBlockRows = 192;      // of a: 288 KiB with the largest depth
constexpr int kBlockColumns = 1920;  // of b: 2.8 MiB
constexpr int kLargestDepth = 384;   // in floats, or what else takes their place

// A product as far as all its tiles have it in common, and the tile's place in it.
struct Tile {
  int row, column;    // within the blocks
  int rows, columns;  // up to the tiling's kRows and kColumns
  int depth;
  const float* next;  // this tile's share of the next panel, to ask for meanwhile: next_step floats for each packed row
  int next_step;
  float alpha;
  bool add;
  float* c;
  int c_stride;
};

// The products by a tile of c. A Tiling has
//   kRows, kColumns                  of the tile
//   kDepth                           of a block
//   packed_depth(depth)              floats that a row of a, or a column of b, takes when packed; <= kLargestDepth
//   packs_a(a, n, k)                 or a product [., k] x [k, n] takes a as it lies
//   pack_a(rows, depth, a, packed)   a block of a: row r, a multiple of kRows, at r x packed_depth(depth)
//   pack_b(depth, columns, b, panel) up to kColumns columns of b: [packed_depth][kColumns]
//   multiply(tile, a, packed_a, panel)   packed_a: null where a is not packed
//   Session                          lives on the thread while it multiplies
template <class Tiling>
class BlockedProducts {
 public:
  static constexpr GemmKernel kernel() { return {packed_floats, pack, gemm, gemm_packed}; }

 private:
  static constexpr int kRows = Tiling::kRows, kColumns = Tiling::kColumns, kDepth = Tiling::kDepth;
  static_assert(kBlockRows % kRows == 0 && kBlockColumns % kColumns == 0);
  static_assert(Tiling::packed_depth(kDepth) <= kLargestDepth);

  struct Panel {  // up to kColumns columns of a block of b, packed; the next one follows
    const float* data;
    std::size_t floats;
  };

  struct PanelPlace {  // in b
    int row, depth;
    int block;  // the first column of its block
    int column, columns;
    bool is_new;  // to be packed, if panels aren't yet
  };

  struct Buffers {  // of one thread
    Buffer a{std::size_t(kBlockRows) * kLargestDepth}, b{std::size_t(kBlockColumns) * kLargestDepth};
  };
  static Buffers& own_buffers() {
    thread_local Buffers buffers;
    return buffers;
  }

  static std::size_t panel_floats(int depth) {
    return static_cast<std::size_t>(Tiling::packed_depth(depth)) * kColumns;
  }

  static std::size_t whole_panels(int columns) {  // the last one may reach beyond the columns
    return (static_cast<std::size_t>(columns) + kColumns - 1) / kColumns * kColumns;
  }

  // Of the rows above `row` that begins a block, or of all.
  static std::size_t packed_depth_above(int row) {
    return std::size_t(row / kDepth) * Tiling::packed_depth(kDepth) +
           (row % kDepth ? Tiling::packed_depth(row % kDepth) : 0);
  }

  // Blocks of columns one after the other, and in each its blocks of rows.
  static std::size_t packed_place(int k, int n, int row, int column) {
    return packed_depth_above(k) * static_cast<std::size_t>(column) +
           packed_depth_above(row) * whole_panels(std::min(kBlockColumns, n - column));
  }

  static std::size_t packed_floats(int k, int n) { return packed_depth_above(k) * whole_panels(n); }

  // Panels are dealt out.
  static void pack(int k, int n, MatrixView b, float* packed, const Share& share) {
    const int panels = (n + kColumns - 1) / kColumns;
    const int begin = share.begin(panels) * kColumns, end = std::min(share.end(panels) * kColumns, n);
    for (int j = begin / kBlockColumns * kBlockColumns; j < end; j += kBlockColumns) {
      for (int p = 0; p < k; p += kDepth) {
        const int depth = std::min(kDepth, k - p);
        float* block = packed + packed_place(k, n, p, j);
        for (int column = std::max(j, begin); column < std::min(j + kBlockColumns, end); column += kColumns) {
          float* panel = block + std::size_t(column - j) * Tiling::packed_depth(depth);
          Tiling::pack_b(depth, std::min(kColumns, n - column), part(b, p, column), panel);
        }
      }
    }
  }

  // panel_of(PanelPlace) -> its Panel
  template <class PanelOf>
  static void multiply(int m, int n, int k, float alpha, MatrixView a, bool add, float* c, int c_stride,
                       const PanelOf& panel_of) {
    [[maybe_unused]] const typename Tiling::Session session;
    float* packed_a = Tiling::packs_a(a, n, k) ? own_buffers().a.data() : nullptr;
    for (int j = 0; j < n; j += kBlockColumns) {
      const int end = std::min(j + kBlockColumns, n);
      for (int p = 0; p < k; p += kDepth) {
        const int depth = std::min(kDepth, k - p);
        for (int i = 0; i < m; i += kBlockRows) {
          const int rows = std::min(kBlockRows, m - i);
          const MatrixView block = part(a, i, p);
          if (packed_a) Tiling::pack_a(rows, depth, block, packed_a);
          const int next_step = std::max(kColumns / ((rows + kRows - 1) / kRows), 1);
          for (int column = j; column < end; column += kColumns) {
            const int columns = std::min(kColumns, end - column);
            const Panel panel = panel_of(PanelPlace{p, depth, j, column, columns, i == 0});
            const bool is_last = column + columns == end;  // what follows may be no memory: slow to ask for
            const float* next = panel.data + (is_last ? 0 : panel.floats);
            for (int row = 0; row < rows; row += kRows, next += std::size_t(Tiling::packed_depth(depth)) * next_step) {
              Tiling::multiply(Tile{row, column - j, std::min(kRows, rows - row), columns, depth, next, next_step,
                                    alpha, add || p > 0, c + std::size_t(i + row) * c_stride + column, c_stride},
                               block, packed_a, panel.data);
            }
          }
        }
      }
    }
  }

  // Each panel is packed when it is met: the first rows of a find it in the second-level cache.
  static void gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride) {
    float* packed = own_buffers().b.data();
    multiply(m, n, k, alpha, a, add, c, c_stride, [&](const PanelPlace& at) {
      float* panel = packed + std::size_t(at.column - at.block) * Tiling::packed_depth(at.depth);
      if (at.is_new) Tiling::pack_b(at.depth, at.columns, part(b, at.row, at.column), panel);
      return Panel{panel, panel_floats(at.depth)};
    });
  }

  static void gemm_packed(int m, int n, int k, float alpha, MatrixView a, PackedView b, float* c, int c_stride) {
    multiply(m, n, k, alpha, a, false, c, c_stride, [&](const PanelPlace& at) {
      const int depth = std::min(kDepth, b.k - at.row);  // b may have more rows than are multiplied
      const float* block = b.data + packed_place(b.k, b.n, at.row, at.block);
      return Panel{block + std::size_t(at.column - at.block) * Tiling::packed_depth(depth), panel_floats(depth)};
    });
  }
};

}  // namespace btm
