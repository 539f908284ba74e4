// Products of pairs by AVX512-BF16.
#include "btm/model/kernels/gemm_kernel.h"

#if defined(__x86_64__)
#include "btm/model/kernels/bf16_pairs-inl.h"
#include "btm/model/kernels/cpu_features.h"

HWY_PUSH_ATTRIBUTES(BTM_AVX512_BF16)
namespace btm {
namespace {

constexpr int kLanes = 16, kVectors = 3;
constexpr int kRows = 8;        // a tile of c stays in 24 of the 32 registers
constexpr int kPairsAhead = 8;  // to ask for: a panel of b is larger than the first-level cache
// Of c, from which packing pays where a's stride is a multiple of kPackingStride: at a distance of 4096 bytes its rows
// share the few lines of a set of the first-level cache.
constexpr int kPackingColumns = 384, kPackingStride = 2048;

// Adds to the sums of a tile what a row of pairs of the panel gives; from row to row of a it is `stride` floats.
template <int kTileRows, int kTileVectors>
HWY_INLINE void add_products(const float* a, std::size_t stride, const float* panel,
                             __m512 (&sums)[kTileRows][kTileVectors]) {
  __m512bh w[kTileVectors];
  HWY_UNROLL(16)
  for (int v = 0; v < kTileVectors; ++v) w[v] = (__m512bh)_mm512_load_ps(panel + v * kLanes);
  HWY_UNROLL(16)
  for (int v = 0; v < kTileVectors; ++v) fetch(panel + (kPairsAhead * kVectors + v) * kLanes);
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    const __m512bh x = (__m512bh)_mm512_set1_ps(a[r * stride]);
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], x, w[v]);
  }
}

// `stride`: pairs from row to row of a; kTransposed: it is packed, [pairs][kRows].
template <int kTileRows, int kTileVectors, bool kTransposed>
HWY_INLINE void multiply_tile(const Tile& t, const float* a, std::size_t stride, const float* panel) {
  __m512 sums[kTileRows][kTileVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) sums[r][v] = _mm512_setzero_ps();
  }
  float* c = t.c;
  const std::size_t c_stride = t.c_stride, next_step = t.next_step;
  const float* next = t.next;
  auto add_pair = [&]() __attribute__((always_inline)) {
    _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);  // into the second-level cache
    next += next_step;
    add_products(a, kTransposed ? 1 : stride, panel, sums);
    a += kTransposed ? kRows : 1;
    panel += kVectors * kLanes;
  };
  // c is asked for little by little: all of it at once would hold up what is asked for of the panel, and be pushed out
  // by it where its rows lie a multiple of 4096 bytes apart.
  constexpr int kFirstPairs = kTileRows * kTileVectors;
  int left = pairs(t.depth);
  const bool is_deep = left >= kFirstPairs;
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kTileVectors; ++v) {
      fetch(c + r * c_stride + v * kLanes);
      if (is_deep) add_pair();
    }
  }
  if (is_deep) left -= kFirstPairs;
  for (; left >= 2; left -= 2) {
    add_pair();
    add_pair();
  }
  if (left) add_pair();
  SumsWriter<kTileVectors> writer(t);
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) writer.write_row(sums[r]);
}

template <bool kTransposed>
void multiply_any(const Tile& tile, const float* a, std::size_t stride, const float* panel) {
  with_constant<kRows>(tile.rows, [&](auto rows) {
    with_constant<kVectors>((tile.columns + kLanes - 1) / kLanes, [&](auto vectors) {
      multiply_tile<rows(), vectors(), kTransposed>(tile, a, stride, panel);
    });
  });
}

// rows of a -> [rows][pairs]
template <class Number>
void pack_rows(int rows, int depth, const Number* x, std::size_t stride, float* packed) {
  for (int r = 0; r < rows; ++r, x += stride, packed += pairs(depth)) {
    for (int p = 0; p < depth; p += 2 * kLanes) {
      fetch(x + 2 * stride + p);
      const __m512 numbers = _mm512_castsi512_ps(rounded_32(x + p, depth - p));
      _mm512_mask_storeu_ps(packed + p / 2, first_lanes(pairs(depth - p)), numbers);
    }
  }
}

// columns of a, which is transposed -> groups of kRows, [pairs][kRows] each, zeros behind the last; four at a time
template <class Number>
void pack_transposed_rows(int rows, int depth, const Number* first, std::size_t stride, float* packed) {
  static_assert(kRows == 8);
  const std::size_t group = std::size_t(pairs(depth)) * kRows;
  for (int r = 0; r < rows; r += 4 * kRows, packed += 4 * group) {
    const Number* x = first + r;
    const int groups = (rows - r + kRows - 1) / kRows;
    for (int p = 0; p < pairs(depth); ++p, x += 2 * stride) {
      fetch(x + kRowsAhead * stride);
      fetch(x + (kRowsAhead + 1) * stride);
      const Interleaved numbers = interleaved_32(x, 2 * p + 1 < depth ? x + stride : nullptr, rows - r);
      float* to = packed + std::size_t(p) * kRows;
      _mm256_store_ps(to, _mm512_castps512_ps256(numbers.low));
      if (groups > 1) _mm256_store_ps(to + group, _mm512_extractf32x8_ps(numbers.low, 1));
      if (groups > 2) _mm256_store_ps(to + 2 * group, _mm512_castps512_ps256(numbers.high));
      if (groups > 3) _mm256_store_ps(to + 3 * group, _mm512_extractf32x8_ps(numbers.high, 1));
    }
  }
}

struct Avx512Side {
  static constexpr int kColumns = kVectors * kLanes;
  static constexpr int packed_depth(int depth) { return pairs(depth); }
};

struct Avx512Tiling : Avx512Side, PairTiling<Avx512Side> {
  static constexpr int kRows = btm::kRows;
  // Rows of whole pairs lie as they would be packed.
  static bool packs_a(MatrixView a, int n, int k) {
    const bool is_packed = a.op == Op::none && a.data.format() == Operands::bf16 && a.stride % 2 == 0 && k % 2 == 0;
    return !is_packed || (n >= kPackingColumns && a.stride % kPackingStride == 0);
  }
  static void pack_a(int rows, int depth, MatrixView a, float* packed) {
    with_numbers(a.data, [&](const auto* x) {
      a.op == Op::none ? pack_rows(rows, depth, x, a.stride, packed)
                       : pack_transposed_rows(rows, depth, x, a.stride, packed);
    });
  }
  static void multiply(const Tile& t, MatrixView a, const float* packed_a, const float* panel) {
    if (!packed_a) {
      const bf16* rows = part(a, t.row, 0).data.as<bf16>();
      return multiply_any<false>(t, reinterpret_cast<const float*>(rows), a.stride / 2, panel);
    }
    packed_a += std::size_t(t.row) * packed_depth(t.depth);
    a.op == Op::none ? multiply_any<false>(t, packed_a, packed_depth(t.depth), panel)
                     : multiply_any<true>(t, packed_a, 1, panel);
  }
};

}  // namespace
}  // namespace btm
HWY_POP_ATTRIBUTES

namespace btm {

const GemmKernel* avx512_bf16_kernel() {
  static constexpr GemmKernel kernel = BlockedProducts<Avx512Tiling>::kernel();
  return kHasAvx512Bf16 ? &kernel : nullptr;
}

}  // namespace btm
#else
const btm::GemmKernel* btm::avx512_bf16_kernel() {
  return nullptr;
}
#endif
