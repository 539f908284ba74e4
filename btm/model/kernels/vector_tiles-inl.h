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
#include <cstring>

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

// columns of b -> [depth][kWidth], zeros behind them as far as they are read
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
  const Lane d;
  for (int p = 0; p < depth; ++p, packed += kWidth) {
    int j = 0;
    if (b.op == Op::none) {
      const float* row = x + std::size_t(p) * b.stride;
      for (; j + kLanes <= columns; j += kLanes) hn::StoreU(hn::LoadU(d, row + j), d, packed + j);
      for (; j < columns; ++j) packed[j] = row[j];
    } else {
      for (; j < columns; ++j) packed[j] = x[std::size_t(j) * b.stride + p];
    }
    std::fill(packed + j, packed + columns_read<kWidth>(columns), 0.0f);
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
  const int end = columns_read<kWidth>(columns);
  if (j == end) return;
  for (int p = 0; p < depth; ++p) {
    float* to = packed + std::size_t(p) * kWidth;
    for (int i = j; i < end; ++i) to[i] = i < columns ? b.data.as<float>()[std::size_t(i) * b.stride + p] : 0;
  }
}
#endif

template <int kWidth>
void pack_floats(int depth, int columns, MatrixView b, float* packed) {
#if HWY_TARGET != HWY_SCALAR
  if (b.op == Op::transposed) return pack_transposed_columns<kWidth>(depth, columns, b, packed);
#endif
  pack_columns<kWidth>(depth, columns, b, packed);
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
