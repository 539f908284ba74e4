#include <hwy/cache_control.h>

#include <algorithm>

#include "btm/model/kernels/few_rows.h"
#include "btm/model/kernels/with_constant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/few_rows_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

constexpr int kRows = kLanes == 16 ? 8 : 4;  // of a at a time: registers hold their sums
constexpr int kSteps = 8;                    // rows of a plain b at a time: as many streams from memory
constexpr int kShortRow = 128;               // of a plain b, such as a head's values
constexpr int kCacheFloats = 16384;          // of c while rows of b add to it

// Adds to kVectors vectors of c, in each of kTileRows rows, `factors` times as many of kTileSteps rows of b.
template <int kVectors, int kTileRows, int kTileSteps, class D>
HWY_INLINE void add_vectors(D d, const float (&factors)[kTileRows][kTileSteps], const float* b, int b_stride, bool add,
                            float* c, int c_stride) {
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<D> sums[kTileRows][kVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = add ? hn::LoadU(d, c + std::size_t(r) * c_stride + v * lanes) : hn::Zero(d);
    }
  }
  HWY_UNROLL(16)
  for (int p = 0; p < kTileSteps; ++p) {
    hn::Vec<D> w[kVectors];
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) w[v] = hn::LoadU(d, b + std::size_t(p) * b_stride + v * lanes);
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) {
      const auto x = hn::Set(d, factors[r][p]);
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(x, w[v], sums[r][v]);
    }
  }
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + std::size_t(r) * c_stride + v * lanes);
  }
}

// c [kTileRows, count] = alpha x a [kTileRows, kTileSteps] b [kTileSteps, count], added to c if `add`
template <int kTileRows, int kTileSteps>
HWY_INLINE void add_rows(int count, float alpha, const float* a, int a_stride, const float* b, int b_stride, bool add,
                         float* c, int c_stride) {
  float factors[kTileRows][kTileSteps];
  for (int r = 0; r < kTileRows; ++r) {
    for (int p = 0; p < kTileSteps; ++p) factors[r][p] = alpha * a[std::size_t(r) * a_stride + p];
  }
  int i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    add_vectors<2>(Lane(), factors, b + i, b_stride, add, c + i, c_stride);
  }
  for (; i + kLanes <= count; i += kLanes) {
    add_vectors<1>(Lane(), factors, b + i, b_stride, add, c + i, c_stride);
  }
  for (; i < count; ++i) add_vectors<1>(Single(), factors, b + i, b_stride, add, c + i, c_stride);
}

// As add_rows, of any number of rows.
template <int kTileSteps>
void add_all_rows(int m, int count, float alpha, const float* a, int a_stride, const float* b, int b_stride, bool add,
                  float* c, int c_stride) {
  for (int r = 0; r < m; r += kRows) {
    with_constant<kRows>(std::min(kRows, m - r), [&](auto rows) HWY_ATTR {
      add_rows<rows(), kTileSteps>(count, alpha, a + std::size_t(r) * a_stride, a_stride, b, b_stride, add,
                                   c + std::size_t(r) * c_stride, c_stride);
    });
  }
}

// Asks for rows of b: the CPU doesn't see by itself which follow short ones.
HWY_INLINE void ask_for(int rows, int count, const float* b, int b_stride) {
  for (int p = 0; p < rows; ++p, b += b_stride) {
    for (int i = 0; i < count; i += 16) hwy::Prefetch(b + i);
  }
}

void multiply_plain(int m, int n, int k, float alpha, const float* a, int a_stride, const float* b, int b_stride,
                    bool add, float* c, int c_stride) {
  const int most = std::max(kCacheFloats / m / 64, 1) * 64;
  for (int column = 0; column < n; column += most) {
    const int count = std::min(most, n - column);
    const float* w = b + column;
    int p = 0;
    for (; p + kSteps <= k; p += kSteps, w += std::size_t(kSteps) * b_stride) {
      if (count <= kShortRow) ask_for(kSteps, count, w + std::size_t(kSteps) * b_stride, b_stride);
      add_all_rows<kSteps>(m, count, alpha, a + p, a_stride, w, b_stride, add || p > 0, c + column, c_stride);
    }
    for (; p < k; ++p, w += b_stride) {
      add_all_rows<1>(m, count, alpha, a + p, a_stride, w, b_stride, add || p > 0, c + column, c_stride);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
// The sum of a vector's blocks of four lanes.
template <class D>
HWY_INLINE auto sum_of_blocks([[maybe_unused]] D d, hn::Vec<D> x) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return x;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
  }
}
#endif

// sums[i] = the sum of the lanes of x[i], of four vectors
HWY_INLINE void sum_lanes(const V* x, float* sums) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < 4; ++i) sums[i] = hn::GetLane(x[i]);
#else
  const Lane d;
  const hn::Repartition<double, Lane> pairs;
  const auto x01 = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, x[0], x[1]), hn::InterleaveUpper(d, x[0], x[1])));
  const auto x23 = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, x[2], x[3]), hn::InterleaveUpper(d, x[2], x[3])));
  const V x0123 = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, x01, x23)),
                          hn::BitCast(d, hn::InterleaveUpper(pairs, x01, x23)));
  hn::StoreU(sum_of_blocks(d, x0123), hn::CappedTag<float, 4>(), sums);
#endif
}

// dots [kTileRows][kTileDots] of rows of a with rows of b
template <int kTileRows, int kTileDots>
HWY_INLINE void dot_products(int k, const float* a, int a_stride, const float* b, int b_stride,
                             float (&dots)[kTileRows][kTileDots]) {
  const Lane d;
  V sums[kTileRows][kTileDots];
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int j = 0; j < kTileDots; ++j) sums[r][j] = hn::Zero(d);
  }
  auto add = [&](int p, auto load) HWY_ATTR {
    V x[kTileRows];
    HWY_UNROLL(16)
    for (int r = 0; r < kTileRows; ++r) x[r] = load(a + std::size_t(r) * a_stride + p);
    HWY_UNROLL(16)
    for (int j = 0; j < kTileDots; ++j) {
      hwy::Prefetch(b + std::size_t(j + 2 * kTileDots) * b_stride + p);
      const V w = load(b + std::size_t(j) * b_stride + p);
      HWY_UNROLL(16)
      for (int r = 0; r < kTileRows; ++r) sums[r][j] = hn::MulAdd(x[r], w, sums[r][j]);
    }
  };
  int p = 0;
  for (; p + kLanes <= k; p += kLanes) add(p, [=](const float* from) HWY_ATTR { return hn::LoadU(d, from); });
  if (p < k) {
    add(p, [=](const float* from) HWY_ATTR {
      HWY_ALIGN float rest[kLanes] = {};
      std::copy_n(from, k - p, rest);
      return hn::Load(d, rest);
    });
  }
  HWY_UNROLL(16)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (int j = 0; j < kTileDots; j += 4) sum_lanes(sums[r] + j, dots[r] + j);
  }
}

// c [kTileRows, columns] of the first columns of a tile of dots
template <int kTileRows, int kTileDots>
HWY_INLINE void multiply_tile(int columns, int k, float alpha, const float* a, int a_stride, const float* b,
                              int b_stride, bool add, float* c, int c_stride) {
  float dots[kTileRows][kTileDots];
  dot_products(k, a, a_stride, b, b_stride, dots);
  for (int r = 0; r < kTileRows; ++r, c += c_stride) {
    for (int j = 0; j < columns; ++j) c[j] = (add ? c[j] : 0) + alpha * dots[r][j];
  }
}

template <int kTileRows, int kTileDots>
void multiply_tiles(int m, int n, int k, float alpha, const float* a, int a_stride, const float* b, int b_stride,
                    bool add, float* c, int c_stride) {
  for (int j = 0; j < n;) {
    const bool whole = j + kTileDots <= n;
    const int columns = whole ? kTileDots : 1;  // of the rows of b that are left each stands for a whole tile
    for (int r = 0; r < m; r += kTileRows) {
      with_constant<kTileRows>(std::min(kTileRows, m - r), [&](auto rows) HWY_ATTR {
        multiply_tile<rows(), kTileDots>(columns, k, alpha, a + std::size_t(r) * a_stride, a_stride,
                                         b + std::size_t(j) * b_stride, whole ? b_stride : 0, add,
                                         c + std::size_t(r) * c_stride + j, c_stride);
      });
    }
    j += columns;
  }
}

void multiply_transposed(int m, int n, int k, float alpha, const float* a, int a_stride, const float* b, int b_stride,
                         bool add, float* c, int c_stride) {
  if (m == 1) return multiply_tiles<1, 8>(m, n, k, alpha, a, a_stride, b, b_stride, add, c, c_stride);
  multiply_tiles<kRows / 2, 4>(m, n, k, alpha, a, a_stride, b, b_stride, add, c, c_stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(multiply_plain);
HWY_EXPORT(multiply_transposed);

void few_rows_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride) {
  const float *x = a.data.as<float>(), *w = b.data.as<float>();
  if (b.op == Op::none) {
    HWY_DYNAMIC_DISPATCH(multiply_plain)(m, n, k, alpha, x, a.stride, w, b.stride, add, c, c_stride);
  } else {
    HWY_DYNAMIC_DISPATCH(multiply_transposed)(m, n, k, alpha, x, a.stride, w, b.stride, add, c, c_stride);
  }
}

}  // namespace btm
#endif  // HWY_ONCE
