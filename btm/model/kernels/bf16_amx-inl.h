// Products of pairs by AMX: tiles of 16 rows of 16 pairs, or float32 sums. `Tiles` has the instructions (Intel's
// Software Developer's Manual, volume 2), of tiles numbered 0 to 7, strides in floats:
//   zero<i>()   load<i>(memory, stride)   store<i>(memory, stride)   add_product<c, a, b>()   Session
#pragma once

#include "btm/model/kernels/bf16_pairs-inl.h"

HWY_PUSH_ATTRIBUTES(BTM_AVX512_BF16)
namespace btm {
namespace {

constexpr int kAmxSide = 16;
constexpr std::size_t kAmxTile = std::size_t(kAmxSide) * kAmxSide;  // in floats

constexpr int amx_steps(int depth) {  // products of tiles along it
  return (depth + 2 * kAmxSide - 1) / (2 * kAmxSide);
}

// r[i][j] <-> r[j][i]
HWY_INLINE void transpose(__m512 (&r)[16]) {
  __m512 t[16];
  HWY_UNROLL(8)
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  // r[i + j]: columns j, 4 + j, 8 + j and 12 + j of four rows
  HWY_UNROLL(4)
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const __m512d low = _mm512_castps_pd(t[i + j]), high = _mm512_castps_pd(t[i + 2 + j]);
      r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  HWY_UNROLL(4)
  for (int j = 0; j < 4; ++j) {
    const __m512 even_low = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
    const __m512 odd_low = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    const __m512 odd_high = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
    t[j] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    t[8 + j] = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    t[4 + j] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    t[12 + j] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
  }
  HWY_UNROLL(16)
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

// A block of a -> [row / 16][step] tiles, zeros where they reach beyond it.
template <class Number>
void pack_amx_rows(int rows, int depth, const Number* a, std::size_t stride, float* packed) {
  for (int first = 0; first < rows; first += kAmxSide, packed += amx_steps(depth) * kAmxTile) {
    for (int r = 0; r < kAmxSide; ++r) {
      const Number* x = a + std::size_t(first + r) * stride;
      const int count = first + r < rows ? depth : 0;
      float* to = packed + std::size_t(r) * kAmxSide;
      for (int p = 0; p < depth; p += 2 * kAmxSide, to += kAmxTile) {
        fetch(x + 2 * stride + p);
        _mm512_store_ps(to, _mm512_castsi512_ps(rounded_32(x + p, count - p)));
      }
    }
  }
}

// The same of a transposed block, whose columns lie along memory.
template <class Number>
void pack_amx_columns(int rows, int depth, const Number* a, std::size_t stride, float* packed) {
  for (int first = 0; first < rows; first += kAmxSide) {
    const __mmask16 there = first_lanes(rows - first);
    const Number* x = a + first;
    for (int p = 0; p < depth; p += 2 * kAmxSide, packed += kAmxTile) {
      __m512 tile[16];
      for (int i = 0; i < kAmxSide; ++i, x += 2 * stride) {
        const int row = p + 2 * i;
        tile[i] = row < depth ? interleaved(x, row + 1 < depth ? x + stride : nullptr, there) : _mm512_setzero_ps();
      }
      transpose(tile);
      for (int i = 0; i < kAmxSide; ++i) _mm512_store_ps(packed + std::size_t(i) * kAmxSide, tile[i]);
    }
  }
}

struct AmxSide {
  static constexpr int kColumns = 2 * kAmxSide;
  static constexpr int packed_depth(int depth) { return amx_steps(depth) * kAmxSide; }
};

template <class Tiles>
struct AmxTiling : AmxSide, PairTiling<AmxSide> {
  static constexpr int kRows = 2 * kAmxSide;
  using Session = typename Tiles::Session;

  static bool packs_a(MatrixView, int, int) { return true; }
  static void pack_a(int rows, int depth, MatrixView a, float* packed) {
    with_numbers(a.data, [&](const auto* x) {
      a.op == Op::none ? pack_amx_rows(rows, depth, x, a.stride, packed)
                       : pack_amx_columns(rows, depth, x, a.stride, packed);
    });
  }

  static void multiply(const Tile& t, MatrixView, const float* packed_a, const float* panel) {
    const float* a = packed_a + std::size_t(t.row) * packed_depth(t.depth);
    with_constant<2>((t.rows + kAmxSide - 1) / kAmxSide, [&](auto rows) {
      with_constant<2>((t.columns + kAmxSide - 1) / kAmxSide,
                       [&](auto columns) { multiply_tiles<rows(), columns()>(t, a, panel); });
    });
  }

 private:
  // Tiles 0 to 3 hold the sums, 4 and 5 a's rows, 6 and 7 b's columns. Sums that are not all of c's, or not c itself,
  // go by way of memory.
  template <int kRowTiles, int kColumnTiles>
  static void multiply_tiles(const Tile& t, const float* a, const float* panel) {
    alignas(64) float sums[kRows * kColumns];
    const bool direct = t.alpha == 1 && t.rows == kRowTiles * kAmxSide && t.columns == kColumnTiles * kAmxSide;
    float* c = direct ? t.c : sums;
    const std::size_t stride = direct ? t.c_stride : kColumns;
    for_each_tile<kRowTiles, kColumnTiles>([&]<int r, int j>() {
      if (direct && t.add) {
        Tiles::template load<2 * r + j>(c + (std::size_t(r) * stride + j) * kAmxSide, stride);
      } else {
        Tiles::template zero<2 * r + j>();
      }
    });
    const int steps = amx_steps(t.depth);
    for (int s = 0; s < steps; ++s, a += kAmxTile, panel += std::size_t(kAmxSide) * kColumns) {
      Tiles::template load<4>(a, kAmxSide);
      if constexpr (kRowTiles == 2) Tiles::template load<5>(a + steps * kAmxTile, kAmxSide);
      Tiles::template load<6>(panel, kColumns);
      if constexpr (kColumnTiles == 2) Tiles::template load<7>(panel + kAmxSide, kColumns);
      for_each_tile<kRowTiles, kColumnTiles>(
          []<int r, int j>() { Tiles::template add_product<2 * r + j, 4 + r, 6 + j>(); });
    }
    for_each_tile<kRowTiles, kColumnTiles>([&]<int r, int j>() {
      Tiles::template store<2 * r + j>(c + (std::size_t(r) * stride + j) * kAmxSide, stride);
    });
    if (direct) return;
    SumsWriter<kColumnTiles> writer(t);
    for (int r = 0; r < t.rows; ++r) {
      __m512 row[kColumnTiles];
      for (int j = 0; j < kColumnTiles; ++j) row[j] = _mm512_load_ps(sums + std::size_t(r) * kColumns + j * kAmxSide);
      writer.write_row(row);
    }
  }

  template <int kRowTiles, int kColumnTiles, class F>
  static void for_each_tile(const F& f) {
    f.template operator()<0, 0>();
    if constexpr (kColumnTiles == 2) f.template operator()<0, 1>();
    if constexpr (kRowTiles == 2) f.template operator()<1, 0>();
    if constexpr (kRowTiles == 2 && kColumnTiles == 2) f.template operator()<1, 1>();
  }
};

}  // namespace
}  // namespace btm
HWY_POP_ATTRIBUTES
