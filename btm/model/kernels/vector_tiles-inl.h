// What the products by Highway's vectors have in common, compiled once per instruction set: packing of floats, and
// tiles of c.
#if defined(BTM_MODEL_KERNELS_VECTOR_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BTM_MODEL_KERNELS_VECTOR_TILES_INL_H_
#undef BTM_MODEL_KERNELS_VECTOR_TILES_INL_H_
#else
#define BTM_MODEL_KERNELS_VECTOR_TILES_INL_H_
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "btm/model/kernels/blocked_products.h"
#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// To ask for: the CPU doesn't see by itself that the next row follows a piece of this one.
constexpr int kRowsAhead = 8;

// What a tile reads of a packed row of so many columns: whole vectors.
template <int kWidth>
constexpr int columns_read(int columns) {
  return std::min((columns + kLanes - 1) / kLanes * kLanes, kWidth);
}

// Numbers of an operand as they are multiplied: as they are, or, if kRounds, as bfloat16 has them.
template <bool kRounds, class D, class Number>
HWY_INLINE hn::Vec<D> load_factor(D d, const Number* x) {
  const hn::Vec<D> numbers = load_operand(d, x);
  if constexpr (kRounds && std::is_same_v<Number, float>) return rounded_by_bits(d, numbers);
  return numbers;
}
template <bool kRounds, class Number>
HWY_INLINE float factor(const Number* x) {
  return hn::GetLane(load_factor<kRounds>(Single(), x));
}
template <bool kRounds, int kCount, class Number>
HWY_INLINE void copy_factors(const Number* x, float* to) {
  const hn::CappedTag<float, std::min(kCount, kLanes)> d;
  HWY_UNROLL(16)
  for (std::size_t i = 0; i < kCount; i += hn::MaxLanes(d)) hn::StoreU(load_factor<kRounds>(d, x + i), d, to + i);
}

// columns of b -> [depth][kWidth], zeros behind them as far as they are read
template <int kWidth, bool kRounds, class Number>
void pack_columns(int depth, int columns, const Number* x, std::size_t stride, float* packed) {
  if (columns == kWidth) {
    for (int p = 0; p < depth; ++p, x += stride, packed += kWidth) {
      hwy::Prefetch(x + kRowsAhead * stride);
      hwy::Prefetch(x + kRowsAhead * stride + kWidth - 1);
      copy_factors<kRounds, kWidth>(x, packed);
    }
    return;
  }
  for (int p = 0; p < depth; ++p, x += stride, packed += kWidth) {
    int j = 0;
    for (; j + kLanes <= columns; j += kLanes) copy_factors<kRounds, kLanes>(x + j, packed + j);
    for (; j < columns; ++j) packed[j] = factor<kRounds>(x + j);
    std::fill(packed + j, packed + columns_read<kWidth>(columns), 0.0f);
  }
}

// 4 columns of a transposed b, which lie along memory, at a time.
template <int kWidth, bool kRounds, class Number>
void pack_transposed_columns(int depth, int columns, const Number* first, std::size_t stride, float* packed) {
  int j = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<float, 4> four;
  const hn::Repartition<double, decltype(four)> pairs;
  const int whole = depth / 4 * 4;
  for (; j + 4 <= columns; j += 4) {
    const Number* x[4];
    for (int i = 0; i < 4; ++i) x[i] = first + (j + i) * stride;
    for (int p = 0; p < whole; p += 4) {
      if (p % 16 == 0) {
        for (int i = 0; i < 4; ++i) hwy::Prefetch(x[i] + 4 * stride + p);
      }
      const auto r0 = load_factor<kRounds>(four, x[0] + p), r1 = load_factor<kRounds>(four, x[1] + p);
      const auto r2 = load_factor<kRounds>(four, x[2] + p), r3 = load_factor<kRounds>(four, x[3] + p);
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
      for (int i = 0; i < 4; ++i) packed[std::size_t(p) * kWidth + j + i] = factor<kRounds>(x[i] + p);
    }
  }
#endif
  const int end = columns_read<kWidth>(columns);
  if (j == end) return;
  for (int p = 0; p < depth; ++p) {
    float* to = packed + std::size_t(p) * kWidth;
    for (int i = j; i < end; ++i) to[i] = i < columns ? factor<kRounds>(first + i * stride + p) : 0;
  }
}

template <int kWidth, bool kRounds = false, class Number>
void pack_floats(int depth, int columns, Op op, const Number* x, std::size_t stride, float* packed) {
  op == Op::none ? pack_columns<kWidth, kRounds>(depth, columns, x, stride, packed)
                 : pack_transposed_columns<kWidth, kRounds>(depth, columns, x, stride, packed);
}

// Asks for the tile's c.
template <int kTileRows, int kTileVectors>
HWY_INLINE void fetch_tile(const Tile& t) {
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    hwy::Prefetch(t.c + std::size_t(r) * t.c_stride);
    hwy::Prefetch(t.c + std::size_t(r) * t.c_stride + kTileVectors * kLanes - 1);
  }
}

// c = alpha x sums, or added to it. Only the last vector may reach beyond the tile's columns.
template <int kTileRows, int kTileVectors>
HWY_INLINE void write_tile(const Tile& t, const V (&sums)[kTileRows][kTileVectors]) {
  const Lane d;
  const V alpha = hn::Set(d, t.alpha);
  float* c = t.c;  // in registers: for all that the compiler knows, a vector's store may change the tile
  const std::size_t stride = t.c_stride;
  const bool add = t.add;
  const int last = t.columns - (kTileVectors - 1) * kLanes;
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r, c += stride) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) {
      float* to = c + v * kLanes;
      if (v < kTileVectors - 1 || last == kLanes) {
        hn::StoreU(add ? hn::MulAdd(alpha, sums[r][v], hn::LoadU(d, to)) : hn::Mul(alpha, sums[r][v]), d, to);
      } else {
        const V before = add ? load_first(d, to, static_cast<std::size_t>(last)) : hn::Zero(d);
        store_first(hn::MulAdd(alpha, sums[r][v], before), d, to, static_cast<std::size_t>(last));
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#endif
