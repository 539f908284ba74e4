#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "btm/model/kernels/blocked_products.h"
#include "btm/model/kernels/with_constant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/fp32_kernel_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {
namespace {

// A tile of c stays in registers: 8 x 3 of the 32 of AVX-512, 4 x 3 of the 16 of AVX2. AVX-512's panels of b are larger
// than the first-level cache, and are asked for: kStepsAhead rows of this one, and meanwhile the next.
// kPackingColumns: of c, from which packing an a that is not transposed pays if its stride is a multiple of
// kPackingStride. Numbers of several of its rows at the same column lie in one bank of a Zen 3's first-level cache,
// which reads one of them a cycle; at a distance of 4096 bytes they share the few lines of a set of any such cache.
#if BTM_IS_AVX512
constexpr int kRows = 8, kVectors = 3, kDepth = kLargestDepth, kUnrolled = 1, kStepsAhead = 8;
constexpr int kPackingColumns = 384, kPackingStride = 1024;
#else
constexpr int kRows = 4, kVectors = 3, kDepth = 256, kUnrolled = 8, kStepsAhead = 0;
constexpr int kPackingColumns = 128, kPackingStride = 1;
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

// Adds to the sums of a tile what `kSteps` rows of the panel, [depth][kColumns], give. If kAcross, a number of a
// follows that of the row before: packed in groups of kRows, or (one step at a time) in any a^T; else `stride` floats
// lie between.
template <int kSteps, bool kAcross, int kTileRows, int kTileVectors>
HWY_INLINE void add_products(const float* a, std::size_t stride, const float* panel,
                             V (&sums)[kTileRows][kTileVectors]) {
  const Lane d;
  HWY_UNROLL(16)
  for (int p = 0; p < kSteps; ++p) {
    V w[kTileVectors];
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) w[v] = hn::LoadU(d, panel + p * kColumns + v * kLanes);
    if constexpr (kStepsAhead > 0) {
      HWY_UNROLL(16)
      for (int v = 0; v < kTileVectors; ++v) hwy::Prefetch(panel + (p + kStepsAhead) * kColumns + v * kLanes);
    }
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      const V x = hn::Set(d, kAcross ? a[p * kRows + r] : a[r * stride + p]);
      HWY_UNROLL(16)
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] = add_product(x, w[v], sums[r][v]);
    }
  }
}

// `stride`: floats from row to row of a, or, if kAcross, from column to column.
template <int kTileRows, int kTileVectors, bool kAcross>
HWY_INLINE void multiply_tile(const Tile& t, const float* a, std::size_t stride, const float* panel) {
  const Lane d;
  V sums[kTileRows][kTileVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) sums[r][v] = hn::Zero(d);
  }
  const float* next = t.next;
  auto add = [&](auto steps) HWY_ATTR {
    if constexpr (kStepsAhead > 0) {
      __builtin_prefetch(next, 0, 2);  // into the second-level cache
      next += steps() * t.next_step;
    }
    add_products<steps(), kAcross>(a, stride, panel, sums);
    a += kAcross ? steps() * stride : steps();
    panel += steps() * kColumns;
  };
  using One = std::integral_constant<int, 1>;
  int p = 0;
  if (kStepsAhead > 0 && t.depth >= 2 * kTileRows * kTileVectors) {
    // All of c at once would hold up what is asked for of the panel.
    for (int r = 0; r < kTileRows; ++r) {
      for (int v = 0; v < kTileVectors; ++v, p += 2) {
        hwy::Prefetch(t.c + std::size_t(r) * t.c_stride + v * kLanes);
        add(One());
        add(One());
      }
    }
  } else {
    fetch_tile<kTileRows, kTileVectors>(t);
  }
  for (; p + kUnrolled <= t.depth; p += kUnrolled) add(std::integral_constant<int, kUnrolled>());
  for (; p < t.depth; ++p) add(One());
  write_tile(t, sums);
}

template <bool kAcross>
void multiply_any(const Tile& tile, const float* a, std::size_t stride, const float* panel) {
  with_constant<kRows>(tile.rows, [&](auto rows) HWY_ATTR {
    with_constant<kVectors>((tile.columns + kLanes - 1) / kLanes, [&](auto vectors) HWY_ATTR {
      multiply_tile<rows(), vectors(), kAcross>(tile, a, stride, panel);
    });
  });
}

// a^T, of `rows` columns -> groups of kRows rows, [depth][kRows] each; what is missing in the last one is not read.
template <bool kRounds, class Number>
void pack_groups(int rows, int depth, const Number* first, std::size_t stride, float* packed) {
  constexpr int kGroups = 16 / kRows;
  const std::size_t group = std::size_t(depth) * kRows;
  int r = 0;
  for (; r + kGroups * kRows <= rows; r += kGroups * kRows, packed += kGroups * group) {
    const Number* x = first + r;
    float* to = packed;
    for (int p = 0; p < depth; ++p, x += stride, to += kRows) {
      hwy::Prefetch(x + kRowsAhead * stride);
      HWY_UNROLL(16)
      for (int g = 0; g < kGroups; ++g) copy_factors<kRounds, kRows>(x + g * kRows, to + g * group);
    }
  }
  for (; r < rows; r += kRows, packed += group) {
    const Number* x = first + r;
    float* to = packed;
    for (int p = 0; p < depth; ++p, x += stride, to += kRows) {
      for (int i = 0; i < std::min(kRows, rows - r); ++i) to[i] = factor<kRounds>(x + i);
    }
  }
}

// kRounds: operands are rounded to bfloat16 as they are packed, or are of bfloat16.
template <bool kRounds>
struct Tiling {
  static constexpr int kRows = HWY_NAMESPACE::kRows, kColumns = HWY_NAMESPACE::kColumns, kDepth = HWY_NAMESPACE::kDepth;
  static constexpr int packed_depth(int depth) { return depth; }
  struct Session {};

  static bool packs_a(MatrixView a, int n, int) {
    if (kRounds) return true;
    if (a.op == Op::transposed) return kUnrolled > 1 || n > 2 * kColumns;
    return n >= kPackingColumns && a.stride % kPackingStride == 0;
  }
  // In groups of kRows rows: [depth][kRows].
  static void pack_a(int rows, int depth, MatrixView a, float* packed) {
    with_factors(a, [&](const auto* x) HWY_ATTR {
      if (a.op == Op::transposed) return pack_groups<kRounds>(rows, depth, x, a.stride, packed);
      const std::size_t stride = a.stride, group = std::size_t(depth) * kRows;
      for (int r = 0; r < rows; r += kRows, x += kRows * stride, packed += group) {
        pack_floats<kRows, kRounds>(depth, std::min(kRows, rows - r), Op::transposed, x, stride, packed);
      }
    });
  }
  static void pack_b(int depth, int columns, MatrixView b, float* panel) {
    with_factors(
        b, [&](const auto* x) HWY_ATTR { pack_floats<kColumns, kRounds>(depth, columns, b.op, x, b.stride, panel); });
  }
  static void multiply(const Tile& t, MatrixView a, const float* packed_a, const float* panel) {
    if (packed_a) return multiply_any<true>(t, packed_a + std::size_t(t.row) * t.depth, kRows, panel);
    const float* rows = part(a, t.row, 0).data.as<float>();
    a.op == Op::none ? multiply_any<false>(t, rows, a.stride, panel) : multiply_any<true>(t, rows, a.stride, panel);
  }

 private:
  template <class F>
  static void with_factors(MatrixView x, const F& f) {
    if constexpr (kRounds) return with_numbers(x.data, f);
    f(x.data.as<float>());
  }
};

}  // namespace

const GemmKernel* fp32_products() {
  static constexpr GemmKernel own = BlockedProducts<Tiling<false>>::kernel();
  return &own;
}

const GemmKernel* rounded_fp32_products() {
  static constexpr GemmKernel own = BlockedProducts<Tiling<true>>::kernel();
  return &own;
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(fp32_products);
HWY_EXPORT(rounded_fp32_products);

const GemmKernel& fp32_kernel() {
  static const GemmKernel& widest = *HWY_DYNAMIC_DISPATCH(fp32_products)();
  return widest;
}

const GemmKernel& rounded_fp32_kernel() {
  static const GemmKernel& widest = *HWY_DYNAMIC_DISPATCH(rounded_fp32_products)();
  return widest;
}

}  // namespace btm
#endif  // HWY_ONCE
