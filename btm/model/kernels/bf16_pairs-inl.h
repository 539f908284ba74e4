// What the products of bfloat16 have in common: operands packed in pairs.
// Packed, 32 bits hold a pair: the numbers of depths 2p and 2p + 1. They are moved as floats, whose bits nobody reads.
#pragma once

#include <hwy/base.h>

// Highway 1.0 has no product of pairs, so these are Intel's intrinsics. g++ 12 takes their undefined values for
// mistakes of ours (GCC's bug 105593).
#if HWY_COMPILER_GCC_ACTUAL
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <algorithm>
#include <cstddef>

#include "btm/model/kernels/blocked_products.h"
#include "btm/model/kernels/with_constant.h"

#define BTM_AVX512_BF16 "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"

HWY_PUSH_ATTRIBUTES(BTM_AVX512_BF16)
namespace btm {
namespace {

constexpr int pairs(int depth) {
  return (depth + 1) / 2;
}

constexpr __mmask16 first_lanes(int count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1);
}
constexpr __mmask32 first_32_lanes(int count) {
  return static_cast<__mmask32>(count >= 32 ? 0xffffffff : count <= 0 ? 0 : (1u << count) - 1);
}

HWY_INLINE __m256i rounded(const float* x, __mmask16 there) {
  return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(there, x));
}
HWY_INLINE __m256i rounded(const bf16* x, __mmask16 there) {
  return _mm256_maskz_loadu_epi16(there, x);
}

// `count` numbers, of 32.
HWY_INLINE __m512i rounded_32(const float* x, int count) {
  const __m512 low = _mm512_maskz_loadu_ps(first_lanes(count), x);
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(first_lanes(count - 16), x + 16), low);
}
HWY_INLINE __m512i rounded_32(const bf16* x, int count) {
  return _mm512_maskz_loadu_epi16(first_32_lanes(count), x);
}

// Asks for a number of a later row: the CPU doesn't see by itself that the next row follows a piece of this one.
template <class Number>
HWY_INLINE void fetch(const Number* x) {
  _mm_prefetch(reinterpret_cast<const char*>(x), _MM_HINT_T0);
}

// The numbers at x and at `below` it, which may be nowhere, in pairs.
template <class Number>
HWY_INLINE __m512 interleaved(const Number* x, const Number* below, __mmask16 there) {
  const __m512i low = _mm512_cvtepu16_epi32(rounded(x, there));
  const __m512i high = below ? _mm512_cvtepu16_epi32(rounded(below, there)) : _mm512_setzero_si512();
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

// The same of `count` columns, of 32, in two halves.
struct Interleaved {
  __m512 low, high;
};
template <class Number>
HWY_INLINE Interleaved interleaved_32(const Number* x, const Number* below, int count) {
  const __m512i even = rounded_32(x, count);
  const __m512i odd = below ? rounded_32(below, count) : _mm512_setzero_si512();
  const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i last = _mm512_add_epi16(first, _mm512_set1_epi16(16));
  return {_mm512_castsi512_ps(_mm512_permutex2var_epi16(even, first, odd)),
          _mm512_castsi512_ps(_mm512_permutex2var_epi16(even, last, odd))};
}

constexpr int kRowsAhead = 16;

// columns of b -> [pairs][kColumns], zeros behind them
template <int kColumns, class Number>
void pack_panel(int depth, int columns, const Number* x, std::size_t stride, float* panel) {
  for (int p = 0; p < depth; p += 2, x += 2 * stride, panel += kColumns) {
    const Number* below = p + 1 < depth ? x + stride : nullptr;
    const Number* later = x + kRowsAhead * stride;
    for (int j = 0; j < kColumns; j += static_cast<int>(64 / sizeof(Number))) {
      fetch(later + j);
      fetch(later + stride + j);
    }
    for (int j = 0; j < kColumns; j += 32) {
      const Interleaved numbers = interleaved_32(x + j, below ? below + j : nullptr, columns - j);
      _mm512_store_ps(panel + j, numbers.low);
      if (j + 16 < kColumns) _mm512_store_ps(panel + j + 16, numbers.high);
    }
  }
}

// The same of a transposed b, whose columns lie along memory: 4 columns by 8 pairs at a time.
template <int kColumns, class Number>
void pack_transposed_panel(int depth, int columns, const Number* x, std::size_t stride, float* panel) {
  for (int j = 0; j < kColumns; j += 4) {
    for (int p = 0; p < depth; p += 16) {
      __m256i r[4] = {};
      for (int i = 0; i < 4 && j + i < columns; ++i) {
        r[i] = rounded(x + std::size_t(j + i) * stride + p, first_lanes(depth - p));
        fetch(x + std::size_t(j + 4 + i) * stride + p);
      }
      const __m256i low01 = _mm256_unpacklo_epi32(r[0], r[1]), high01 = _mm256_unpackhi_epi32(r[0], r[1]);
      const __m256i low23 = _mm256_unpacklo_epi32(r[2], r[3]), high23 = _mm256_unpackhi_epi32(r[2], r[3]);
      // Each holds one pair of the first four and one of the last four.
      const __m256i by_pair[4] = {_mm256_unpacklo_epi64(low01, low23), _mm256_unpackhi_epi64(low01, low23),
                                  _mm256_unpacklo_epi64(high01, high23), _mm256_unpackhi_epi64(high01, high23)};
      float* to = panel + std::size_t(p / 2) * kColumns + j;
      const int count = pairs(std::min(16, depth - p));
      for (int i = 0; i < count; ++i) {
        const __m256i both = by_pair[i % 4];
        const __m128i one = i < 4 ? _mm256_castsi256_si128(both) : _mm256_extracti128_si256(both, 1);
        _mm_store_ps(to + std::size_t(i) * kColumns, _mm_castsi128_ps(one));
      }
    }
  }
}

// Writes the rows of a tile of up to kVectors vectors, one after the other: c = alpha x sums, or added to it. (From
// registers: for all that the compiler knows, a store may change the tile.)
template <int kVectors>
class SumsWriter {
 public:
  HWY_INLINE explicit SumsWriter(const Tile& t)
      : c_(t.c),
        stride_(t.c_stride),
        alpha_(_mm512_set1_ps(t.alpha)),
        last_(first_lanes(t.columns - 16 * (kVectors - 1))),
        add_(t.add) {}

  HWY_INLINE void write_row(const __m512 (&sums)[kVectors]) {
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) {
      const __mmask16 there = v < kVectors - 1 ? first_lanes(16) : last_;
      const __m512 before = add_ ? _mm512_maskz_loadu_ps(there, c_ + 16 * v) : _mm512_setzero_ps();
      _mm512_mask_storeu_ps(c_ + 16 * v, there, _mm512_fmadd_ps(alpha_, sums[v], before));
    }
    c_ += stride_;
  }

 private:
  float* c_;
  std::size_t stride_;
  __m512 alpha_;
  __mmask16 last_;
  bool add_;
};

// What the tilings by pairs have in common. `Side` has kColumns and packed_depth() of BlockedProducts' Tiling.
template <class Side>
struct PairTiling {
  static constexpr int kDepth = 512;  // numbers, so 256 floats

  struct Session {};

  static void pack_b(int depth, int columns, MatrixView b, float* panel) {
    constexpr int kColumns = Side::kColumns;
    with_numbers(b.data, [&](const auto* x) {
      b.op == Op::none ? pack_panel<kColumns>(depth, columns, x, b.stride, panel)
                       : pack_transposed_panel<kColumns>(depth, columns, x, b.stride, panel);
    });
    std::fill(panel + std::size_t(pairs(depth)) * kColumns, panel + std::size_t(Side::packed_depth(depth)) * kColumns,
              0.0f);
  }
};

}  // namespace
}  // namespace btm
HWY_POP_ATTRIBUTES
