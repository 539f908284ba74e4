#include <hwy/cache_control.h>

#include <algorithm>
#include <cstring>

#include "btm/core/buffer.h"
#include "btm/model/kernels/blocked_gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/blocked_gemm_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

#ifndef BTM_MODEL_KERNELS_BLOCKED_GEMM_BLOCKS
#define BTM_MODEL_KERNELS_BLOCKED_GEMM_BLOCKS
namespace btm {

// The loops around the innermost one are those of Goto and van de Geijn 2008 (Anatomy of High-Performance Matrix
// Multiplication): a block of b in the third-level cache, of a in the second, a panel of b in the first.
constexpr int kBlockRows = 192;      // of a: 288 KiB with the largest depth
constexpr int kBlockColumns = 1920;  // of b: 2.8 MiB
constexpr int kLargestDepth = 384;

struct GemmBuffers {
  Buffer a{std::size_t(kBlockRows) * kLargestDepth}, b{std::size_t(kBlockColumns) * kLargestDepth};
};

}  // namespace btm
#endif

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// A tile of c stays in registers: 8 x 3 of the 32 of AVX-512, 6 x 2 of the 16 of AVX2.
#if HWY_TARGET <= HWY_AVX3
constexpr int kRows = 8, kVectors = 3, kDepth = kLargestDepth;
#else
constexpr int kRows = 6, kVectors = 2, kDepth = 256;
#endif
constexpr int kColumns = kVectors * kLanes;  // of a panel of b
static_assert(kBlockRows % kRows == 0 && kBlockColumns % kColumns == 0);

// One tile's share of the product: a is either packed, [depth][kRows], or lies as it does in memory, `stride` floats
// from row to row; `panel` is [depth][kColumns].
struct Tile {
  int depth, stride;
  const float *a, *panel;
  float alpha;
  bool add;
  float* c;
  int c_stride, columns;
};

template <int kTileRows, int kTileVectors, bool kPacked>
HWY_INLINE void multiply_tile(const Tile& t) {
  const Lane d;
  V sums[kTileRows][kTileVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) sums[r][v] = hn::Zero(d);
    hwy::Prefetch(t.c + std::size_t(r) * t.c_stride);
  }
  const float *a = t.a, *panel = t.panel;
  const std::size_t stride = t.stride;
  for (int p = 0; p < t.depth; ++p) {
    V w[kTileVectors];
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) w[v] = hn::LoadU(d, panel + v * kLanes);
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      const V x = hn::Set(d, kPacked ? a[r] : a[r * stride]);
      HWY_UNROLL(16)
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] = hn::MulAdd(x, w[v], sums[r][v]);
    }
    a += kPacked ? kRows : 1;
    panel += kColumns;
  }
  const V alpha = hn::Set(d, t.alpha);
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) {
      float* c = t.c + std::size_t(r) * t.c_stride + v * kLanes;
      const int left = t.columns - v * kLanes;
      if (left >= kLanes) {
        hn::StoreU(t.add ? hn::MulAdd(alpha, sums[r][v], hn::LoadU(d, c)) : hn::Mul(alpha, sums[r][v]), d, c);
      } else if (left > 0) {
        float lanes[kLanes];
        hn::StoreU(hn::Mul(alpha, sums[r][v]), d, lanes);
        for (int i = 0; i < left; ++i) c[i] = t.add ? c[i] + lanes[i] : lanes[i];
      }
    }
  }
}

// As many vectors as the columns fill.
template <int kTileRows, bool kPacked, int kTileVectors = kVectors>
void multiply_columns(const Tile& tile) {
  if constexpr (kTileVectors > 1) {
    if (tile.columns <= (kTileVectors - 1) * kLanes) {
      return multiply_columns<kTileRows, kPacked, kTileVectors - 1>(tile);
    }
  }
  multiply_tile<kTileRows, kTileVectors, kPacked>(tile);
}

template <bool kPacked, int kTileRows = kRows>
void multiply_rows(int rows, const Tile& tile) {
  if constexpr (kTileRows > 1) {
    if (rows < kTileRows) return multiply_rows<kPacked, kTileRows - 1>(rows, tile);
  }
  multiply_columns<kTileRows, kPacked>(tile);
}

// columns of b -> [depth][kColumns], zeros behind them
void pack_panel(int depth, int columns, MatrixView b, float* panel) {
  const Lane d;
  const float* x = b.data;
  if (b.op == Op::none && columns == kColumns) {
    for (int p = 0; p < depth; ++p, x += b.stride, panel += kColumns) {
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) hn::StoreU(hn::LoadU(d, x + v * kLanes), d, panel + v * kLanes);
    }
    return;
  }
  const std::size_t down = b.op == Op::none ? b.stride : 1, right = b.op == Op::none ? 1 : b.stride;
  for (int p = 0; p < depth; ++p, x += down, panel += kColumns) {
    for (int j = 0; j < columns; ++j) panel[j] = x[j * right];
    std::fill(panel + columns, panel + kColumns, 0.0f);
  }
}

#if HWY_TARGET != HWY_SCALAR
// 4 columns of a transposed b, which lie along memory, at a time.
void pack_transposed_panel(int depth, int columns, MatrixView b, float* panel) {
  const hn::CappedTag<float, 4> four;
  const hn::Repartition<double, decltype(four)> pairs;
  const int whole = depth / 4 * 4;
  int j = 0;
  for (; j + 4 <= columns; j += 4) {
    const float* x[4];
    for (int i = 0; i < 4; ++i) x[i] = b.data + std::size_t(j + i) * b.stride;
    for (int p = 0; p < whole; p += 4) {
      const auto r0 = hn::LoadU(four, x[0] + p), r1 = hn::LoadU(four, x[1] + p);
      const auto r2 = hn::LoadU(four, x[2] + p), r3 = hn::LoadU(four, x[3] + p);
      const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(four, r0, r1));
      const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(four, r0, r1));
      const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(four, r2, r3));
      const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(four, r2, r3));
      float* to = panel + std::size_t(p) * kColumns + j;
      hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, low01, low23)), four, to);
      hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, low01, low23)), four, to + kColumns);
      hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, high01, high23)), four, to + 2 * kColumns);
      hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, high01, high23)), four, to + 3 * kColumns);
    }
    for (int p = whole; p < depth; ++p) {
      for (int i = 0; i < 4; ++i) panel[std::size_t(p) * kColumns + j + i] = x[i][p];
    }
  }
  for (int p = 0; p < depth; ++p) {
    float* to = panel + std::size_t(p) * kColumns;
    for (int i = j; i < kColumns; ++i) to[i] = i < columns ? b.data[std::size_t(i) * b.stride + p] : 0;
  }
}
#endif

// a^T, of `rows` columns -> groups of kRows rows, [depth][kRows] each; what is missing in the last one is not read.
void pack_rows(int rows, int depth, MatrixView a, float* packed) {
  int r = 0;
  for (; r + kRows <= rows; r += kRows) {
    const float* x = a.data + r;
    for (int p = 0; p < depth; ++p, x += a.stride, packed += kRows) std::memcpy(packed, x, kRows * sizeof(float));
  }
  if (r == rows) return;
  const float* x = a.data + r;
  for (int p = 0; p < depth; ++p, x += a.stride, packed += kRows) std::copy_n(x, rows - r, packed);
}

// op(x) from that row and column on.
MatrixView part(MatrixView x, int row, int column) {
  const bool plain = x.op == Op::none;
  return {x.data + std::size_t(plain ? row : column) * x.stride + (plain ? column : row), x.stride, x.op};
}

void pack_block(int depth, int columns, MatrixView b, float* packed) {
  for (int j = 0; j < columns; j += kColumns, packed += std::size_t(depth) * kColumns) {
    const int count = std::min(kColumns, columns - j);
#if HWY_TARGET != HWY_SCALAR
    if (b.op == Op::transposed) {
      pack_transposed_panel(depth, count, part(b, 0, j), packed);
      continue;
    }
#endif
    pack_panel(depth, count, part(b, 0, j), packed);
  }
}

// A block of a times the packed block of b.
void multiply_block(int rows, int columns, int depth, float alpha, MatrixView a, bool add, float* c, int c_stride,
                    GemmBuffers& buffers) {
  const bool packed = a.op == Op::transposed;
  if (packed) pack_rows(rows, depth, a, buffers.a.data());
  const float* panel = buffers.b.data();
  for (int j = 0; j < columns; j += kColumns, panel += std::size_t(depth) * kColumns) {
    for (int r = 0; r < rows; r += kRows) {
      const float* x = packed ? buffers.a.data() + std::size_t(r) * depth : a.data + std::size_t(r) * a.stride;
      const Tile tile{depth,
                      a.stride,
                      x,
                      panel,
                      alpha,
                      add,
                      c + std::size_t(r) * c_stride + j,
                      c_stride,
                      std::min(kColumns, columns - j)};
      const int count = std::min(kRows, rows - r);
      packed ? multiply_rows<true>(count, tile) : multiply_rows<false>(count, tile);
    }
  }
}

void multiply(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride,
              GemmBuffers& buffers) {
  for (int j = 0; j < n; j += kBlockColumns) {
    const int columns = std::min(kBlockColumns, n - j);
    for (int p = 0; p < k; p += kDepth) {
      const int depth = std::min(kDepth, k - p);
      pack_block(depth, columns, part(b, p, j), buffers.b.data());
      for (int i = 0; i < m; i += kBlockRows) {
        multiply_block(std::min(kBlockRows, m - i), columns, depth, alpha, part(a, i, p), add || p > 0,
                       c + std::size_t(i) * c_stride + j, c_stride, buffers);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(multiply);

void blocked_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride) {
  thread_local GemmBuffers buffers;
  HWY_DYNAMIC_DISPATCH(multiply)(m, n, k, alpha, a, b, add, c, c_stride, buffers);
}

}  // namespace btm
#endif  // HWY_ONCE
