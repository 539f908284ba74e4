#include <algorithm>
#include <cmath>
#include <cstring>

#include "btm/model/kernels/blocked_products.h"
#include "btm/model/kernels/cpu_features.h"
#include "btm/model/kernels/with_constant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/int16_kernel_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {
namespace {

// Numbers along the sum that share a scale. Their products are whole numbers that add up exactly: kShared x kLargest^2
// is just below 2^31. Packed, 32 bits hold a pair of them, of depths 2p and 2p + 1, moved as floats.
constexpr int kShared = 128, kLargest = 4095;
constexpr float kLeast = 1e-30f;  // where all are smaller they count as zero: kLargest / x stays finite

// A tile of c, whose sums stay in 24 of AVX-512's 32 registers, in 12 of AVX2's 16.
constexpr int kRows = BTM_IS_AVX512 ? 8 : 4, kVectors = 3;
constexpr int kColumns = kVectors * kLanes;  // of a panel of b

using Ints = hn::Rebind<std::int32_t, Lane>;
using IntV = hn::Vec<Ints>;

constexpr int pairs(int depth) {
  return (depth + 1) / 2;
}

// By which numbers are multiplied to become whole ones, and by which those are afterwards.
struct Scale {
  V to_whole, back;
};

// By the bits of the largest absolute value, which compare like whole numbers: NaN is larger than infinity. A scale of
// either passes it on to the product.
HWY_INLINE Scale scale_of(IntV largest_bits) {
  const Lane d;
  const V largest = hn::BitCast(d, largest_bits);
  return {hn::IfThenZeroElse(hn::Lt(largest, hn::Set(d, kLeast)), hn::Div(hn::Set(d, kLargest), largest)),
          hn::Mul(largest, hn::Set(d, 1.0f / kLargest))};
}

HWY_INLINE IntV absolute_bits(V x) {
  return hn::And(hn::BitCast(Ints(), x), hn::Set(Ints(), 0x7fffffff));
}

// In the lower 16 bits x times the scale, rounded to nearest, ties to even: beside 3 x 2^22 whole numbers alone have
// bits.
constexpr float kWholeBits = 12582912;
HWY_INLINE IntV whole_bits(V x, V to_whole) {
  return hn::BitCast(Ints(), hn::MulAdd(x, to_whole, hn::Set(Lane(), kWholeBits)));
}

// `depth` numbers of a row that lie along memory -> pairs, of zeros up to an even number of vectors. Returns their
// scale and asks for the row at `later`.
float round_row(int depth, const float* x, const float* later, float* packed) {
  const Lane d;
  const Ints ints;
  constexpr int kStep = 2 * kLanes;
  alignas(64) float padded[kShared];
  if (depth % kStep != 0) {
    std::fill(std::copy_n(x, depth, padded), padded + kShared, 0.0f);
    x = padded;
    depth = (depth + kStep - 1) / kStep * kStep;
  }
  IntV largest = hn::Zero(ints);
  for (int p = 0; p < depth; p += kLanes) {
    hwy::Prefetch(later + p);
    largest = hn::Max(largest, absolute_bits(hn::LoadU(d, x + p)));
  }
  const Scale scale = scale_of(hn::MaxOfLanes(ints, largest));
  const hn::Rebind<std::int16_t, Ints> narrow;
  const IntV no_bits = hn::BitCast(ints, hn::Set(d, kWholeBits));
  for (int p = 0; p < depth; p += kLanes) {
    const IntV whole = hn::Sub(whole_bits(hn::LoadU(d, x + p), scale.to_whole), no_bits);
    if constexpr (kLanes == 1) {
      const auto number = static_cast<std::int16_t>(hn::GetLane(whole));
      std::memcpy(reinterpret_cast<char*>(packed) + p * sizeof number, &number, sizeof number);
    } else {
      const hn::Repartition<float, decltype(narrow)> of_pairs;
      hn::StoreU(hn::BitCast(of_pairs, hn::DemoteTo(narrow, whole)), of_pairs, packed + p / 2);
    }
  }
  return hn::GetLane(scale.back);
}

// kShared numbers or fewer of up to kWidth rows that lie along memory -> [kWidth] scales, [pairs][kWidth].
template <int kWidth>
void pack_along(int depth, int rows, const float* x, std::size_t stride, float* packed) {
  alignas(64) float by_row[kWidth][kShared / 2];
  for (int r = 0; r < rows; ++r) {
    packed[r] = round_row(depth, x + r * stride, x + (r + kWidth) * stride, by_row[r]);
  }
  std::fill(packed + rows, packed + kWidth, 0.0f);
  pack_floats<kWidth>(pairs(depth), rows, Op::transposed, by_row[0], kShared / 2, packed + kWidth);
}

// kShared numbers or fewer of kCount vectors of rows that lie across memory. put(p, v, x): pair p of vector v, or its
// scales (p = -1).
template <int kCount, class Put>
HWY_INLINE void round_across(int depth, const float* x, std::size_t stride, const Put& put) {
  const Lane d;
  const Ints ints;
  IntV largest[kCount];
  HWY_UNROLL(16)
  for (int v = 0; v < kCount; ++v) largest[v] = hn::Zero(ints);
  for (int p = 0; p < depth; ++p) {
    hwy::Prefetch(x + (p + kRowsAhead) * stride);
    hwy::Prefetch(x + (p + kRowsAhead) * stride + kCount * kLanes - 1);
    HWY_UNROLL(16)
    for (int v = 0; v < kCount; ++v) {
      largest[v] = hn::Max(largest[v], absolute_bits(hn::LoadU(d, x + p * stride + v * kLanes)));
    }
  }
  V to_whole[kCount];
  HWY_UNROLL(16)
  for (int v = 0; v < kCount; ++v) {
    const Scale scale = scale_of(largest[v]);
    to_whole[v] = scale.to_whole;
    put(-1, v, scale.back);
  }
  const IntV low_half = hn::Set(ints, 0xffff);
  for (int p = 0; p < depth; p += 2) {
    hwy::Prefetch(x + p * stride + kCount * kLanes);
    hwy::Prefetch(x + (p + 1) * stride + kCount * kLanes);
    HWY_UNROLL(16)
    for (int v = 0; v < kCount; ++v) {
      const float* here = x + p * stride + v * kLanes;
      const V below = p + 1 < depth ? hn::LoadU(d, here + stride) : hn::Zero(d);
      const IntV even = whole_bits(hn::LoadU(d, here), to_whole[v]), odd = whole_bits(below, to_whole[v]);
      put(p / 2, v, hn::BitCast(d, hn::Or(hn::And(even, low_half), hn::ShiftLeft<16>(odd))));
    }
  }
}

// Rows of kWidth numbers, of which `columns` are there, with zeros behind them.
template <int kWidth>
struct Padded {
  Padded(int depth, int columns, const float* x, std::size_t stride) {
    for (int p = 0; p < depth; ++p) {
      std::fill(std::copy_n(x + p * stride, columns, rows[p]), rows[p] + kWidth, 0.0f);
    }
  }
  float rows[kShared][kWidth];
};

// kShared numbers or fewer of up to kColumns columns that lie across memory -> [kColumns] scales, [pairs][kColumns].
void pack_panel_across(int depth, int columns, const float* x, std::size_t stride, float* packed) {
  if (columns < kColumns) {
    const Padded<kColumns> padded(depth, columns, x, stride);
    return pack_panel_across(depth, kColumns, padded.rows[0], kColumns, packed);
  }
  round_across<kVectors>(depth, x, stride, [packed](int p, int v, V numbers) HWY_ATTR {
    hn::StoreU(numbers, Lane(), packed + (p + 1) * kColumns + v * kLanes);
  });
}

// The same of up to kGroups groups of kRows rows, each `group` floats behind the last.
constexpr int kGroups = kLanes <= kRows ? 4 : 2 * kLanes / kRows;
void pack_groups_across(int depth, int rows, const float* x, std::size_t stride, float* packed, std::size_t group) {
  constexpr int kWidth = kGroups * kRows;
  if (rows < kWidth) {
    const Padded<kWidth> padded(depth, rows, x, stride);
    float groups[kGroups][(kShared / 2 + 1) * kRows];
    pack_groups_across(depth, kWidth, padded.rows[0], kWidth, groups[0], std::size(groups[0]));
    for (int r = 0; r < rows; r += kRows) {
      std::copy_n(groups[r / kRows], (pairs(depth) + 1) * kRows, packed + r / kRows * group);
    }
    return;
  }
  round_across<kWidth / kLanes>(depth, x, stride, [packed, group](int p, int v, V numbers) HWY_ATTR {
    float lanes[kLanes];
    hn::StoreU(numbers, Lane(), lanes);
    constexpr int kPiece = std::min(kRows, kLanes);
    HWY_UNROLL(16)
    for (int i = 0; i < kLanes; i += kPiece) {
      const int row = v * kLanes + i;
      std::memcpy(packed + row / kRows * group + (p + 1) * kRows + row % kRows, lanes + i, kPiece * sizeof(float));
    }
  });
}

// Adds to the sum the products of a pair of numbers of x and of the vector w, or the one at w. Fused: in one
// instruction of AVX-VNNI or AVX512-VNNI, which Highway 1.0 doesn't tell apart from what they extend.
#if HWY_TARGET == HWY_AVX2
// By name: so a tile takes the 16 registers that there are.
template <bool kFused>
HWY_INLINE void add_pair(V x, V w, IntV& sum) {
  if constexpr (kFused) {
    asm("%{vex%} vpdpwssd %1, %2, %0" : "+x"(sum.raw) : "x"(w.raw), "x"(x.raw));
  } else {
    __m256i products;
    asm("vpmaddwd %1, %2, %0" : "=x"(products) : "x"(w.raw), "x"(x.raw));
    asm("vpaddd %1, %0, %0" : "+x"(sum.raw) : "x"(products));
  }
}
template <bool kFused>
HWY_INLINE void add_pair(V x, const float* w, IntV& sum) {
  const auto& numbers = *reinterpret_cast<const __m256i*>(w);
  if constexpr (kFused) {
    asm("%{vex%} vpdpwssd %1, %2, %0" : "+x"(sum.raw) : "m"(numbers), "x"(x.raw));
  } else {
    __m256i products;
    asm("vpmaddwd %1, %2, %0" : "=x"(products) : "m"(numbers), "x"(x.raw));
    asm("vpaddd %1, %0, %0" : "+x"(sum.raw) : "x"(products));
  }
}
#else
template <bool kFused>
HWY_INLINE void add_pair(V x, V w, IntV& sum) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  if constexpr (kFused) {
#if HWY_TARGET <= HWY_AVX3
    asm("vpdpwssd %1, %2, %0" : "+v"(sum.raw) : "v"(w.raw), "v"(x.raw));
#endif
  } else {
    const hn::Repartition<std::int16_t, Lane> shorts;
    IntV unused = sum;
    sum = hn::ReorderWidenMulAccumulate(Ints(), hn::BitCast(shorts, x), hn::BitCast(shorts, w), sum, unused);
  }
#else
  const IntV xs = hn::BitCast(Ints(), x), ws = hn::BitCast(Ints(), w);
  const IntV high = hn::Mul(hn::ShiftRight<16>(xs), hn::ShiftRight<16>(ws));
  const IntV low = hn::Mul(hn::ShiftRight<16>(hn::ShiftLeft<16>(xs)), hn::ShiftRight<16>(hn::ShiftLeft<16>(ws)));
  sum = hn::Add(sum, hn::Add(low, high));
#endif
}
#endif

// Adds to the sums of a tile what `kSteps` pairs give.
template <bool kFused, int kSteps, int kTileRows, int kTileVectors>
HWY_INLINE void add_pairs(const float* a, const float* panel, IntV (&sums)[kTileRows][kTileVectors]) {
  const Lane d;
  constexpr int kLoaded =
      HWY_TARGET == HWY_AVX2 ? kTileVectors - 1 : kTileVectors;  // there the last is read from memory
  HWY_UNROLL(16)
  for (int p = 0; p < kSteps; ++p, a += kRows, panel += kColumns) {
    V w[kTileVectors];
    HWY_UNROLL(16)
    for (int v = 0; v < kLoaded; ++v) w[v] = hn::LoadU(d, panel + v * kLanes);
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      const V x = hn::Set(d, a[r]);
      HWY_UNROLL(16)
      for (int v = 0; v < kLoaded; ++v) add_pair<kFused>(x, w[v], sums[r][v]);
#if HWY_TARGET == HWY_AVX2
      add_pair<kFused>(x, panel + kLoaded * kLanes, sums[r][kLoaded]);
#endif
    }
  }
}

template <bool kFused, int kTileRows, int kTileVectors>
void multiply_tile(const Tile& t, const float* a, const float* panel) {
  const Lane d;
  constexpr int kUnrolled = 4;
  V total[kTileRows][kTileVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) total[r][v] = hn::Zero(d);
  }
  fetch_tile<kTileRows, kTileVectors>(t);
  for (int first = 0; first < t.depth; first += kShared) {
    const float *a_scales = a, *b_scales = panel;
    a += kRows;
    panel += kColumns;
    IntV sums[kTileRows][kTileVectors];
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      HWY_UNROLL(16)
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] = hn::Zero(Ints());
    }
    const int count = pairs(std::min(kShared, t.depth - first));
    int p = 0;
    for (; p + kUnrolled <= count; p += kUnrolled) {
      add_pairs<kFused, kUnrolled>(a, panel, sums);
      a += kUnrolled * kRows;
      panel += kUnrolled * kColumns;
    }
    for (; p < count; ++p) {
      add_pairs<kFused, 1>(a, panel, sums);
      a += kRows;
      panel += kColumns;
    }
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      const V scale = hn::Set(d, a_scales[r]);
      HWY_UNROLL(16)
      for (int v = 0; v < kTileVectors; ++v) {
        const V scales = hn::Mul(scale, hn::LoadU(d, b_scales + v * kLanes));
        total[r][v] = hn::MulAdd(hn::ConvertTo(d, sums[r][v]), scales, total[r][v]);
      }
    }
  }
  write_tile(t, total);
}

template <bool kFused>
struct Tiling {
  static constexpr int kRows = HWY_NAMESPACE::kRows, kColumns = HWY_NAMESPACE::kColumns, kDepth = 512;
  static constexpr int packed_depth(int depth) { return pairs(depth) + (depth + kShared - 1) / kShared; }
  struct Session {};

  static bool packs_a(MatrixView, int, int) { return true; }
  // Groups of kRows rows, each of blocks of kShared numbers: [kRows] scales, [pairs][kRows].
  static void pack_a(int rows, int depth, MatrixView a, float* packed) {
    const std::size_t group = std::size_t(packed_depth(depth)) * kRows;
    const int at_once = a.op == Op::none ? kRows : kGroups * kRows;
    for (int r = 0; r < rows; r += at_once, packed += group * (at_once / kRows)) {
      float* to = packed;
      for (int p = 0; p < depth; p += kShared, to += (kShared / 2 + 1) * kRows) {
        const int count = std::min(at_once, rows - r), block = std::min(kShared, depth - p);
        const float* x = part(a, r, p).data.as<float>();
        a.op == Op::none ? pack_along<kRows>(block, count, x, a.stride, to)
                         : pack_groups_across(block, count, x, a.stride, to, group);
      }
    }
  }
  // Blocks of kShared numbers: [kColumns] scales, [pairs][kColumns].
  static void pack_b(int depth, int columns, MatrixView b, float* panel) {
    for (int p = 0; p < depth; p += kShared, panel += (kShared / 2 + 1) * kColumns) {
      const int block = std::min(kShared, depth - p);
      const float* x = part(b, p, 0).data.as<float>();
      b.op == Op::none ? pack_panel_across(block, columns, x, b.stride, panel)
                       : pack_along<kColumns>(block, columns, x, b.stride, panel);
    }
  }
  static void multiply(const Tile& t, MatrixView, const float* packed_a, const float* panel) {
    packed_a += std::size_t(t.row) * packed_depth(t.depth);
    with_constant<kRows>(t.rows, [&](auto rows) HWY_ATTR {
      with_constant<kVectors>((t.columns + kLanes - 1) / kLanes, [&](auto vectors) HWY_ATTR {
        multiply_tile<kFused, rows(), vectors()>(t, packed_a, panel);
      });
    });
  }
};

}  // namespace

const GemmKernel* int16_products() {
  static constexpr GemmKernel own = BlockedProducts<Tiling<false>>::kernel();
  return &own;
}

const GemmKernel* fused_int16_products() {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  static constexpr GemmKernel own = BlockedProducts<Tiling<true>>::kernel();
  if (HWY_TARGET == HWY_AVX2 ? kHasAvxVnni : kHasAvx512Vnni) return &own;
#endif
  return nullptr;
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(int16_products);
HWY_EXPORT(fused_int16_products);

const GemmKernel& int16_kernel() {
  static const GemmKernel& widest = *HWY_DYNAMIC_DISPATCH(int16_products)();
  return widest;
}

const GemmKernel* fused_int16_kernel() {
  static const GemmKernel* const fused = HWY_DYNAMIC_DISPATCH(fused_int16_products)();
  return fused;
}

}  // namespace btm
#endif  // HWY_ONCE
