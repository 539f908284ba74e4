#include <hwy/cache_control.h>

#include <algorithm>
#include <cstring>

#include "btm/model/kernels/blocked_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/fp32_kernel_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

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

// The sums of a tile: a is either packed, [depth][kRows], or lies as it does in memory, `stride` floats from row to
// row; `panel` is [depth][kColumns].
template <int kTileRows, int kTileVectors, bool kPacked>
HWY_INLINE void multiply_tile(const Tile& t, const float* a, std::size_t stride, const float* panel) {
  const Lane d;
  V sums[kTileRows][kTileVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) sums[r][v] = hn::Zero(d);
    hwy::Prefetch(t.c + std::size_t(r) * t.c_stride);
  }
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

template <bool kPacked>
void multiply_any(const Tile& tile, const float* a, std::size_t stride, const float* panel) {
  with_constant<kRows>(tile.rows, [&](auto rows) HWY_ATTR {
    with_constant<kVectors>((tile.columns + kLanes - 1) / kLanes, [&](auto vectors) HWY_ATTR {
      multiply_tile<rows(), vectors(), kPacked>(tile, a, stride, panel);
    });
  });
}

// columns of b -> [depth][kColumns], zeros behind them
void pack_panel(int depth, int columns, MatrixView b, float* panel) {
  const Lane d;
  const float* x = b.data.as<float>();
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
    for (int i = 0; i < 4; ++i) x[i] = b.data.as<float>() + std::size_t(j + i) * b.stride;
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
    for (int i = j; i < kColumns; ++i) to[i] = i < columns ? b.data.as<float>()[std::size_t(i) * b.stride + p] : 0;
  }
}
#endif

// a^T, of `rows` columns -> groups of kRows rows, [depth][kRows] each; what is missing in the last one is not read.
void pack_rows(int rows, int depth, MatrixView a, float* packed) {
  int r = 0;
  for (; r + kRows <= rows; r += kRows) {
    const float* x = a.data.as<float>() + r;
    for (int p = 0; p < depth; ++p, x += a.stride, packed += kRows) std::memcpy(packed, x, kRows * sizeof(float));
  }
  if (r == rows) return;
  const float* x = a.data.as<float>() + r;
  for (int p = 0; p < depth; ++p, x += a.stride, packed += kRows) std::copy_n(x, rows - r, packed);
}

struct Tiling {
  static constexpr int kRows = HWY_NAMESPACE::kRows, kColumns = HWY_NAMESPACE::kColumns, kDepth = HWY_NAMESPACE::kDepth;
  static constexpr int packed_depth(int depth) { return depth; }
  struct Session {};

  static void pack_a(int rows, int depth, MatrixView a, float* packed) {
    if (a.op == Op::transposed) pack_rows(rows, depth, a, packed);
  }
  static void pack_b(int depth, int columns, MatrixView b, float* panel) {
#if HWY_TARGET != HWY_SCALAR
    if (b.op == Op::transposed) return pack_transposed_panel(depth, columns, b, panel);
#endif
    pack_panel(depth, columns, b, panel);
  }
  static void multiply(const Tile& t, MatrixView a, const float* packed_a, const float* panel) {
    if (a.op == Op::transposed) {
      multiply_any<true>(t, packed_a + std::size_t(t.row) * t.depth, a.stride, panel);
    } else {
      multiply_any<false>(t, a.data.as<float>() + std::size_t(t.row) * a.stride, a.stride, panel);
    }
  }
};

const GemmKernel* kernel() {
  static constexpr GemmKernel own = BlockedProducts<Tiling>::kernel();
  return &own;
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(kernel);

const GemmKernel& fp32_kernel() {
  static const GemmKernel& widest = *HWY_DYNAMIC_DISPATCH(kernel)();
  return widest;
}

}  // namespace btm
#endif  // HWY_ONCE
