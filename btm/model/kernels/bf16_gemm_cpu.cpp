#include <hwy/base.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/model/kernels/bf16_gemm.h"
#include "btm/model/kernels/blocked_loops.h"

#if HWY_ARCH_X86_64
// Highway 1.0 has no product of pairs, so these are Intel's intrinsics. g++ 12 takes their undefined values for
// mistakes of ours (GCC's bug 105593).
#if HWY_COMPILER_GCC_ACTUAL
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")
namespace btm {
namespace {

constexpr int kLanes = 16, kVectors = 3;
constexpr int kRows = 8, kColumns = kVectors * kLanes;  // a tile of c stays in 24 of the 32 registers

// Packed, 32 bits hold a pair: the numbers of depths 2p and 2p + 1. They are moved as floats, whose bits nobody reads.
constexpr int pairs(int depth) {
  return (depth + 1) / 2;
}

constexpr __mmask16 first_lanes(int count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1);
}

// The sums of a tile. a is packed, [kRows][pairs] or, kTransposed, [pairs][kRows]; `panel` is [pairs][kColumns].
template <int kTileRows, int kTileVectors, bool kTransposed>
HWY_INLINE void multiply_tile(const Tile& t, const float* a, const float* panel) {
  __m512 sums[kTileRows][kTileVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) sums[r][v] = _mm512_setzero_ps();
    _mm_prefetch(reinterpret_cast<const char*>(t.c + std::size_t(r) * t.c_stride), _MM_HINT_T0);
  }
  const std::size_t stride = pairs(t.depth);
  for (int p = 0; p < pairs(t.depth); ++p) {
    __m512bh w[kTileVectors];
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) w[v] = (__m512bh)_mm512_load_ps(panel + v * kLanes);
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      const __m512bh x = (__m512bh)_mm512_set1_ps(kTransposed ? a[r] : a[r * stride]);
      HWY_UNROLL(16)
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], x, w[v]);
    }
    a += kTransposed ? kRows : 1;
    panel += kColumns;
  }
  const __m512 alpha = _mm512_set1_ps(t.alpha);
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) {
      float* c = t.c + std::size_t(r) * t.c_stride + v * kLanes;
      const __mmask16 there = first_lanes(t.columns - v * kLanes);
      const __m512 before = t.add ? _mm512_maskz_loadu_ps(there, c) : _mm512_setzero_ps();
      _mm512_mask_storeu_ps(c, there, _mm512_fmadd_ps(alpha, sums[r][v], before));
    }
  }
}

template <bool kTransposed>
void multiply_any(const Tile& tile, const float* a, const float* panel) {
  with_constant<kRows>(tile.rows, [&](auto rows) {
    with_constant<kVectors>((tile.columns + kLanes - 1) / kLanes,
                            [&](auto vectors) { multiply_tile<rows(), vectors(), kTransposed>(tile, a, panel); });
  });
}

__m256i rounded(const float* x, __mmask16 there) {
  return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(there, x));
}

// The numbers at x and at `below` it, which may be nowhere, in pairs.
__m512 interleaved(const float* x, const float* below, __mmask16 there) {
  const __m512i low = _mm512_cvtepu16_epi32(rounded(x, there));
  const __m512i high = below ? _mm512_cvtepu16_epi32(rounded(below, there)) : _mm512_setzero_si512();
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

// columns of b -> [pairs][kColumns], zeros behind them
void pack_panel(int depth, int columns, MatrixView b, float* panel) {
  const float* x = b.data;
  for (int p = 0; p < depth; p += 2, x += std::size_t(2) * b.stride, panel += kColumns) {
    const float* below = p + 1 < depth ? x + b.stride : nullptr;
    for (int j = 0; j < kColumns; j += kLanes) {
      const __mmask16 there = first_lanes(columns - j);
      _mm512_store_ps(panel + j, interleaved(x + j, below ? below + j : nullptr, there));
    }
  }
}

// The same of a transposed b, whose columns lie along memory: 4 columns by 8 pairs at a time.
void pack_transposed_panel(int depth, int columns, MatrixView b, float* panel) {
  for (int j = 0; j < kColumns; j += 4) {
    for (int p = 0; p < depth; p += kLanes) {
      __m256i r[4] = {};
      for (int i = 0; i < 4 && j + i < columns; ++i) {
        r[i] = rounded(b.data + std::size_t(j + i) * b.stride + p, first_lanes(depth - p));
      }
      const __m256i low01 = _mm256_unpacklo_epi32(r[0], r[1]), high01 = _mm256_unpackhi_epi32(r[0], r[1]);
      const __m256i low23 = _mm256_unpacklo_epi32(r[2], r[3]), high23 = _mm256_unpackhi_epi32(r[2], r[3]);
      // Each holds one pair of the first four and one of the last four.
      const __m256i by_pair[4] = {_mm256_unpacklo_epi64(low01, low23), _mm256_unpackhi_epi64(low01, low23),
                                  _mm256_unpacklo_epi64(high01, high23), _mm256_unpackhi_epi64(high01, high23)};
      float* to = panel + std::size_t(p / 2) * kColumns + j;
      const int count = pairs(std::min(kLanes, depth - p));
      for (int i = 0; i < count; ++i) {
        const __m256i both = by_pair[i % 4];
        const __m128i one = i < 4 ? _mm256_castsi256_si128(both) : _mm256_extracti128_si256(both, 1);
        _mm_store_ps(to + std::size_t(i) * kColumns, _mm_castsi128_ps(one));
      }
    }
  }
}

// rows of a -> [rows][pairs]
void pack_rows(int rows, int depth, MatrixView a, float* packed) {
  for (int r = 0; r < rows; ++r, packed += pairs(depth)) {
    const float* x = a.data + std::size_t(r) * a.stride;
    for (int p = 0; p < depth; p += kLanes) {
      const auto whole = static_cast<__mmask8>(first_lanes(std::min(8, pairs(depth - p))));
      _mm256_mask_storeu_ps(packed + p / 2, whole, _mm256_castsi256_ps(rounded(x + p, first_lanes(depth - p))));
    }
  }
}

// columns of a, which is transposed -> groups of kRows, [pairs][kRows] each, zeros behind the last; two at a time
void pack_transposed_rows(int rows, int depth, MatrixView a, float* packed) {
  static_assert(kRows == 8);
  const std::size_t group = std::size_t(pairs(depth)) * kRows;
  for (int r = 0; r < rows; r += 2 * kRows, packed += 2 * group) {
    const float* x = a.data + r;
    for (int p = 0; p < pairs(depth); ++p, x += std::size_t(2) * a.stride) {
      const float* below = 2 * p + 1 < depth ? x + a.stride : nullptr;
      const __m512 both = interleaved(x, below, first_lanes(rows - r));
      float* to = packed + std::size_t(p) * kRows;
      _mm256_store_ps(to, _mm512_castps512_ps256(both));
      if (rows - r > kRows) _mm256_store_ps(to + group, _mm512_extractf32x8_ps(both, 1));
    }
  }
}

// A block of b, whose last panel may reach beyond its columns.
std::size_t block_floats(int depth, int columns) {
  return std::size_t(pairs(depth)) * static_cast<std::size_t>((columns + kColumns - 1) / kColumns * kColumns);
}
void pack_block(int depth, int columns, MatrixView b, float* packed) {
  for (int j = 0; j < columns; j += kColumns, packed += std::size_t(pairs(depth)) * kColumns) {
    (b.op == Op::none ? pack_panel : pack_transposed_panel)(depth, std::min(kColumns, columns - j), part(b, 0, j),
                                                            packed);
  }
}

struct Kernel {
  static constexpr int kRows = btm::kRows, kColumns = btm::kColumns, kDepth = 512;

  void pack_b(int depth, int columns, MatrixView b) {
    if (next) {
      block = next;
      next += block_floats(depth, columns);
    } else {
      pack_block(depth, columns, b, blocks.b.data());
    }
  }
  void pack_a(int rows, int depth, MatrixView a) {
    transposed = a.op == Op::transposed;
    (transposed ? pack_transposed_rows : pack_rows)(rows, depth, a, blocks.a.data());
  }
  void multiply(const Tile& t) const {
    const float* a = blocks.a.data() + std::size_t(t.row) * pairs(t.depth);
    const float* panel = block + std::size_t(t.column) * pairs(t.depth);
    transposed ? multiply_any<true>(t, a, panel) : multiply_any<false>(t, a, panel);
  }

  PackedBlocks& blocks;
  const float* next = nullptr;  // where all of b was packed before: its next block
  const float* block = blocks.b.data();
  bool transposed = false;
};
static_assert(pairs(Kernel::kDepth) <= kLargestDepth);

PackedBlocks& own_blocks() {
  thread_local PackedBlocks blocks;
  return blocks;
}

}  // namespace
}  // namespace btm
HWY_POP_ATTRIBUTES
#endif

namespace btm {
namespace {

// The matrix as it lies in memory, each number rounded.
MatrixView round_copy(int rows, int columns, MatrixView x, std::vector<float>& copy) {
  if (x.op == Op::transposed) std::swap(rows, columns);
  copy.resize(std::size_t(rows) * columns);
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < columns; ++i) {
      const float value = x.data[std::size_t(r) * x.stride + i];
      auto bits = std::bit_cast<std::uint32_t>(value);
      bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
      copy[std::size_t(r) * columns + i] = std::isnan(value) ? value : std::bit_cast<float>(bits);
    }
  }
  return {copy.data(), columns, x.op};
}

}  // namespace

void bf16_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride) {
#if HWY_ARCH_X86_64
  if (cpu_multiplies_bf16()) return multiply_blocks(Kernel{own_blocks()}, m, n, k, alpha, a, b, add, c, c_stride);
#endif
  thread_local std::vector<float> rounded_a, rounded_b;
  gemm(m, n, k, alpha, round_copy(m, k, a, rounded_a), round_copy(k, n, b, rounded_b), add ? 1.0f : 0.0f, c, c_stride);
}

#if HWY_ARCH_X86_64
std::size_t bf16_packed_floats(int k, int n) {
  std::size_t floats = 0;
  for_each_block_of_b<Kernel>(k, n, [&](int, int, int depth, int columns) { floats += block_floats(depth, columns); });
  return floats;
}

void bf16_pack(int k, int n, MatrixView b, float* packed) {
  for_each_block_of_b<Kernel>(k, n, [&](int row, int column, int depth, int columns) {
    pack_block(depth, columns, part(b, row, column), packed);
    packed += block_floats(depth, columns);
  });
}

void bf16_gemm_packed(int m, int n, int k, MatrixView a, const float* packed, float* c, int c_stride) {
  const MatrixView unused{nullptr, 0};
  multiply_blocks(Kernel{own_blocks(), packed}, m, n, k, 1, a, unused, false, c, c_stride);
}
#else
std::size_t bf16_packed_floats(int, int) {
  throw failure("this CPU has no packed matrices of bfloat16");
}
void bf16_pack(int, int, MatrixView, float*) {
  throw failure("this CPU has no packed matrices of bfloat16");
}
void bf16_gemm_packed(int, int, int, MatrixView, const float*, float*, int) {
  throw failure("this CPU has no packed matrices of bfloat16");
}
#endif

}  // namespace btm
