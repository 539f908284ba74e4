#include <hwy/cache_control.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "btm/model/kernels/blocked_products.h"
#include "btm/model/kernels/with_constant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/fp32_kernel_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// A tile of c stays in registers: 8 x 3 of the 32 of AVX-512, 4 x 3 of the 16 of AVX2.
// kPackingColumns: of c, from which packing an a that is not transposed pays. Numbers of several of its rows at the
// same column lie in one bank of a Zen 3's first-level cache, which reads one of them a cycle.
#if HWY_TARGET <= HWY_AVX3
constexpr int kRows = 8, kVectors = 3, kDepth = kLargestDepth, kUnrolled = 1;
constexpr int kPackingColumns = std::numeric_limits<int>::max();
#else
constexpr int kRows = 4, kVectors = 3, kDepth = 256, kUnrolled = 8;
constexpr int kPackingColumns = 128;
#endif
constexpr int kColumns = kVectors * kLanes;  // of a panel of b

// x w + sum. In AVX2 by name: of an unrolled loop g++ 12 makes one that reads w once more for every row.
HWY_INLINE V add_product(V x, V w, V sum) {
#if HWY_TARGET == HWY_AVX2
  asm("vfmadd231ps %1, %2, %0" : "+x"(sum.raw) : "x"(x.raw), "x"(w.raw));
  return sum;
#else
  return hn::MulAdd(x, w, sum);
#endif
}

// Adds to the sums of a tile what `kSteps` rows of the panel give. a is either packed, [depth][kRows], or lies as it
// does in memory, `stride` floats from row to row; `panel` is [depth][kColumns].
template <int kSteps, bool kPacked, int kTileRows, int kTileVectors>
HWY_INLINE void add_products(const float* a, std::size_t stride, const float* panel,
                             V (&sums)[kTileRows][kTileVectors]) {
  const Lane d;
  HWY_UNROLL(16)
  for (int p = 0; p < kSteps; ++p) {
    V w[kTileVectors];
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) w[v] = hn::LoadU(d, panel + p * kColumns + v * kLanes);
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      const V x = hn::Set(d, kPacked ? a[p * kRows + r] : a[r * stride + p]);
      HWY_UNROLL(16)
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] = add_product(x, w[v], sums[r][v]);
    }
  }
}

template <int kTileRows, int kTileVectors, bool kPacked>
HWY_INLINE void multiply_tile(const Tile& t, const float* a, std::size_t stride, const float* panel) {
  const Lane d;
  V sums[kTileRows][kTileVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) sums[r][v] = hn::Zero(d);
    hwy::Prefetch(t.c + std::size_t(r) * t.c_stride);
    hwy::Prefetch(t.c + std::size_t(r) * t.c_stride + kTileVectors * kLanes - 1);
  }
  constexpr int kStep = kPacked ? kRows : 1;
  int p = 0;
  for (; p + kUnrolled <= t.depth; p += kUnrolled) {
    add_products<kUnrolled, kPacked>(a, stride, panel, sums);
    a += kUnrolled * kStep;
    panel += kUnrolled * kColumns;
  }
  for (; p < t.depth; ++p) {
    add_products<1, kPacked>(a, stride, panel, sums);
    a += kStep;
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

// To ask for: the CPU doesn't see by itself that the next row follows a piece of this one.
constexpr int kRowsAhead = 8;

// columns of b -> [depth][kWidth], zeros behind them
template <int kWidth>
void pack_columns(int depth, int columns, MatrixView b, float* packed) {
  const float* x = b.data.as<float>();
  if (b.op == Op::none && columns == kWidth) {
    const std::size_t ahead = std::size_t(kRowsAhead) * b.stride;
    for (int p = 0; p < depth; ++p, x += b.stride, packed += kWidth) {
      hwy::Prefetch(x + ahead);
      hwy::Prefetch(x + ahead + kWidth - 1);
      std::memcpy(packed, x, kWidth * sizeof(float));
    }
    return;
  }
  const std::size_t down = b.op == Op::none ? b.stride : 1, right = b.op == Op::none ? 1 : b.stride;
  for (int p = 0; p < depth; ++p, x += down, packed += kWidth) {
    for (int j = 0; j < columns; ++j) packed[j] = x[j * right];
    std::fill(packed + columns, packed + kWidth, 0.0f);
  }
}

#if HWY_TARGET != HWY_SCALAR
// 4 columns of a transposed b, which lie along memory, at a time.
template <int kWidth>
void pack_transposed_columns(int depth, int columns, MatrixView b, float* packed) {
  const hn::CappedTag<float, 4> four;
  const hn::Repartition<double, decltype(four)> pairs;
  const int whole = depth / 4 * 4;
  int j = 0;
  for (; j + 4 <= columns; j += 4) {
    const float* x[4];
    for (int i = 0; i < 4; ++i) x[i] = b.data.as<float>() + std::size_t(j + i) * b.stride;
    for (int p = 0; p < whole; p += 4) {
      if (p % 16 == 0) {
        for (int i = 0; i < 4; ++i) hwy::Prefetch(x[i] + 4 * std::size_t(b.stride) + p);
      }
      const auto r0 = hn::LoadU(four, x[0] + p), r1 = hn::LoadU(four, x[1] + p);
      const auto r2 = hn::LoadU(four, x[2] + p), r3 = hn::LoadU(four, x[3] + p);
      const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(four, r0, r1));
      const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(four, r0, r1));
      const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(four, r2, r3));
      const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(four, r2, r3));
      float* to = packed + std::size_t(p) * kWidth + j;
      hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, low01, low23)), four, to);
      hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, low01, low23)), four, to + kWidth);
      hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, high01, high23)), four, to + 2 * kWidth);
      hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, high01, high23)), four, to + 3 * kWidth);
    }
    for (int p = whole; p < depth; ++p) {
      for (int i = 0; i < 4; ++i) packed[std::size_t(p) * kWidth + j + i] = x[i][p];
    }
  }
  if (j == kWidth) return;
  for (int p = 0; p < depth; ++p) {
    float* to = packed + std::size_t(p) * kWidth;
    for (int i = j; i < kWidth; ++i) to[i] = i < columns ? b.data.as<float>()[std::size_t(i) * b.stride + p] : 0;
  }
}
#endif

template <int kWidth>
void pack(int depth, int columns, MatrixView b, float* packed) {
#if HWY_TARGET != HWY_SCALAR
  if (b.op == Op::transposed) return pack_transposed_columns<kWidth>(depth, columns, b, packed);
#endif
  pack_columns<kWidth>(depth, columns, b, packed);
}

// a^T, of `rows` columns -> groups of kRows rows, [depth][kRows] each; what is missing in the last one is not read.
void pack_groups(int rows, int depth, MatrixView a, float* packed) {
  constexpr int kGroups = 16 / kRows;
  const std::size_t group = std::size_t(depth) * kRows, ahead = std::size_t(kRowsAhead) * a.stride;
  int r = 0;
  for (; r + kGroups * kRows <= rows; r += kGroups * kRows, packed += kGroups * group) {
    const float* x = a.data.as<float>() + r;
    float* to = packed;
    for (int p = 0; p < depth; ++p, x += a.stride, to += kRows) {
      hwy::Prefetch(x + ahead);
      HWY_UNROLL(16)
      for (int g = 0; g < kGroups; ++g) std::memcpy(to + g * group, x + g * kRows, kRows * sizeof(float));
    }
  }
  for (; r < rows; r += kRows, packed += group) {
    const float* x = a.data.as<float>() + r;
    float* to = packed;
    for (int p = 0; p < depth; ++p, x += a.stride, to += kRows) std::copy_n(x, std::min(kRows, rows - r), to);
  }
}

struct Tiling {
  static constexpr int kRows = HWY_NAMESPACE::kRows, kColumns = HWY_NAMESPACE::kColumns, kDepth = HWY_NAMESPACE::kDepth;
  static constexpr int packed_depth(int depth) { return depth; }
  struct Session {};

  static bool packs_a(MatrixView a, int n) { return a.op == Op::transposed || n >= kPackingColumns; }
  // In groups of kRows rows: [depth][kRows].
  static void pack_a(int rows, int depth, MatrixView a, float* packed) {
    if (a.op == Op::transposed) return pack_groups(rows, depth, a, packed);
    for (int r = 0; r < rows; r += kRows, packed += std::size_t(depth) * kRows) {
      pack<kRows>(depth, std::min(kRows, rows - r), turned(part(a, r, 0)), packed);
    }
  }
  static void pack_b(int depth, int columns, MatrixView b, float* panel) { pack<kColumns>(depth, columns, b, panel); }
  static void multiply(const Tile& t, MatrixView a, const float* packed_a, const float* panel) {
    if (packed_a) {
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
