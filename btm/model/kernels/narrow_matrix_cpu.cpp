#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>

#include "btm/model/kernels/narrow_matrix.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/narrow_matrix_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

#ifndef BTM_MODEL_KERNELS_NARROW_MATRIX_LAYOUT
#define BTM_MODEL_KERNELS_NARROW_MATRIX_LAYOUT
namespace btm {
constexpr int kPanel = 32;  // outputs
constexpr int kGroup = 64;  // inputs that share a scale

// Of one panel. The last group of inputs is stored whole, with zeros.
inline std::size_t panel_bytes(NarrowFormat format, int in) {
  if (format == NarrowFormat::bf16) return std::size_t(in) * kPanel * sizeof(std::uint16_t);
  const std::size_t groups = (in + kGroup - 1) / kGroup;
  return groups * (kPanel * sizeof(float) + kGroup * kPanel);
}
}  // namespace btm
#endif

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

constexpr int kVectors = kPanel / kLanes;

// How a panel's numbers of one input become kVectors vectors, in an order that store() undoes.
struct Bf16Numbers {
  static constexpr int kBytes = 2 * kPanel;  // of one input
  static constexpr int kAhead = 1024;        // bytes, to ask for: by itself the CPU doesn't look beyond a page
  static HWY_INLINE void load(const char* bytes, V (&w)[kVectors]) {
    const Lane d;
    const hn::RebindToUnsigned<Lane> words;
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; v += 2) {  // a word holds two neighbours
      const auto pair = hn::LoadU(words, reinterpret_cast<const std::uint32_t*>(bytes) + v / 2 * kLanes);
      w[v] = hn::BitCast(d, hn::ShiftLeft<16>(pair));
      w[v + 1] = hn::BitCast(d, hn::And(pair, hn::Set(words, 0xffff0000u)));
    }
  }
  static HWY_INLINE void store(const V (&sum)[kVectors], float* y) {
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; v += 2) hn::StoreInterleaved2(sum[v], sum[v + 1], Lane(), y + v * kLanes);
  }
};

struct Int8Numbers {
  static constexpr int kBytes = kPanel;
  static constexpr int kAhead = 4096;
  static HWY_INLINE void load(const char* bytes, V (&w)[kVectors]) {
    const Lane d;
    const hn::RebindToSigned<Lane> words;
    const hn::Rebind<std::int8_t, Lane> narrow;
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) {
      const auto numbers = hn::LoadU(narrow, reinterpret_cast<const std::int8_t*>(bytes) + v * kLanes);
      w[v] = hn::ConvertTo(d, hn::PromoteTo(words, numbers));
    }
  }
  static HWY_INLINE void store(const V (&sum)[kVectors], float* y) {
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[v], Lane(), y + v * kLanes);
  }
};

// sums [kRows][kPanel] = `count` inputs of x times their numbers. A short chain of sums for each vector would wait for
// itself, so with few rows several inputs are summed separately.
template <int kRows, class Numbers>
HWY_INLINE void sum_inputs(int count, const char* numbers, const float* x, int stride, V (&sums)[kRows][kVectors]) {
  constexpr int kApart = std::max(1, 8 / (kRows * kVectors));
  const Lane d;
  V apart[kApart][kRows][kVectors];
  HWY_UNROLL(16)
  for (int a = 0; a < kApart; ++a) {
    HWY_UNROLL(16)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) apart[a][r][v] = hn::Zero(d);
    }
  }
  auto add = [&](int i, int a) HWY_ATTR {
    V w[kVectors];
    hwy::Prefetch(numbers + i * Numbers::kBytes + Numbers::kAhead);
    Numbers::load(numbers + i * Numbers::kBytes, w);
    HWY_UNROLL(16)
    for (int r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, x[std::size_t(r) * stride + i]);
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) apart[a][r][v] = hn::MulAdd(factor, w[v], apart[a][r][v]);
    }
  };
  int i = 0;
  for (; i + kApart <= count; i += kApart) {
    HWY_UNROLL(16)
    for (int a = 0; a < kApart; ++a) add(i + a, a);
  }
  for (; i < count; ++i) add(i, 0);
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = apart[0][r][v];
      for (int a = 1; a < kApart; ++a) sums[r][v] = hn::Add(sums[r][v], apart[a][r][v]);
    }
  }
}

template <int kRows>
HWY_INLINE void multiply_panel(Bf16Numbers, int in, const char* panel, const float* x, V (&sums)[kRows][kVectors]) {
  sum_inputs<kRows, Bf16Numbers>(in, panel, x, in, sums);
}

template <int kRows>
HWY_INLINE void multiply_panel(Int8Numbers, int in, const char* panel, const float* x, V (&sums)[kRows][kVectors]) {
  const Lane d;
  for (auto& row : sums) {
    for (V& sum : row) sum = hn::Zero(d);
  }
  for (int first = 0; first < in; first += kGroup) {
    const float* scales = reinterpret_cast<const float*>(panel);
    panel += kPanel * sizeof(float);
    V group[kRows][kVectors];
    sum_inputs<kRows, Int8Numbers>(std::min(kGroup, in - first), panel, x + first, in, group);
    HWY_UNROLL(16)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = hn::MulAdd(group[r][v], hn::LoadU(d, scales + v * kLanes), sums[r][v]);
      }
    }
    panel += kGroup * kPanel;
  }
}

template <int kRows, class Numbers>
HWY_INLINE void multiply_rows(Numbers numbers, int in, const char* panel, const float* x, int out, int outputs,
                              float* y) {
  V sums[kRows][kVectors];
  multiply_panel<kRows>(numbers, in, panel, x, sums);
  for (int r = 0; r < kRows; ++r, y += out) {
    if (outputs == kPanel) {
      Numbers::store(sums[r], y);
    } else {
      HWY_ALIGN float whole[kPanel];
      Numbers::store(sums[r], whole);
      std::copy_n(whole, outputs, y);
    }
  }
}

// As many rows at once as registers hold the sums of.
template <class Numbers>
void multiply_panels(Numbers numbers, NarrowFormat format, int in, int out, const char* panels, int rows,
                     const float* x, float* y) {
  constexpr int kRows = kLanes == 16 ? 8 : kLanes == 8 ? 2 : 1;
  const std::size_t bytes = panel_bytes(format, in);
  for (int first = 0; first < out; first += kPanel, panels += bytes) {
    const int outputs = std::min(kPanel, out - first);
    int row = 0;
    for (; row + kRows <= rows; row += kRows) {
      multiply_rows<kRows>(numbers, in, panels, x + std::size_t(row) * in, out, outputs,
                           y + std::size_t(row) * out + first);
    }
    for (; row < rows; ++row) {
      multiply_rows<1>(numbers, in, panels, x + std::size_t(row) * in, out, outputs,
                       y + std::size_t(row) * out + first);
    }
  }
}

void multiply_narrow(NarrowFormat format, int in, int out, const char* panels, int rows, const float* x, float* y) {
  if (format == NarrowFormat::bf16) {
    multiply_panels(Bf16Numbers(), format, in, out, panels, rows, x, y);
  } else {
    multiply_panels(Int8Numbers(), format, in, out, panels, rows, x, y);
  }
}

// w [count, outputs], of which there are up to kPanel, with zeros behind them
void gather(int count, int outputs, MatrixView w, float (&block)[kGroup][kPanel]) {
  const float* numbers = w.data.as<float>();
  if (outputs < kPanel) std::fill_n(block[0], count * kPanel, 0.0f);
  if (w.op == Op::none) {
    for (int i = 0; i < count; ++i) std::copy_n(numbers + std::size_t(i) * w.stride, outputs, block[i]);
  } else {
    for (int j = 0; j < outputs; ++j) {
      for (int i = 0; i < count; ++i) block[i][j] = numbers[std::size_t(j) * w.stride + i];
    }
  }
}

void pack_block(Bf16Numbers, int count, const float (&block)[kGroup][kPanel], char* panel) {
  auto* to = reinterpret_cast<bf16*>(panel);
  for_each_vector(std::size_t(count) * kPanel,
                  [&](auto d, std::size_t i) HWY_ATTR { store_operand(hn::LoadU(d, block[0] + i), d, to + i); });
}

void pack_block(Int8Numbers, int count, const float (&block)[kGroup][kPanel], char* panel) {
  const Lane d;
  const hn::Rebind<std::int8_t, Lane> narrow;
  auto* scales = reinterpret_cast<float*>(panel);
  auto* to = reinterpret_cast<std::int8_t*>(panel + kPanel * sizeof(float));
  for (int v = 0; v < kPanel; v += kLanes) {
    V largest = hn::Zero(d);
    for (int i = 0; i < count; ++i) largest = hn::Max(largest, hn::Abs(hn::LoadU(d, block[i] + v)));
    hn::StoreU(hn::Div(largest, hn::Set(d, 127.0f)), d, scales + v);
    const V factor = hn::IfThenZeroElse(hn::Eq(largest, hn::Zero(d)), hn::Div(hn::Set(d, 127.0f), largest));
    for (int i = 0; i < count; ++i) {
      const auto whole = hn::NearestInt(hn::Mul(hn::LoadU(d, block[i] + v), factor));
      hn::StoreU(hn::DemoteTo(narrow, whole), narrow, to + i * kPanel + v);
    }
  }
}

// w [in, outputs], of which there are up to kPanel
template <class Numbers>
void pack_blocks(Numbers numbers, NarrowFormat format, int in, int outputs, MatrixView w, char* panel) {
  for (int i = 0; i < in; i += kGroup) {
    const int count = std::min(kGroup, in - i);
    HWY_ALIGN float block[kGroup][kPanel];
    gather(count, outputs, part(w, i, 0), block);
    pack_block(numbers, count, block, panel);
    panel += panel_bytes(format, count);
  }
}

void pack_panel(NarrowFormat format, int in, int outputs, MatrixView w, char* panel) {
  if (format == NarrowFormat::bf16) {
    pack_blocks(Bf16Numbers(), format, in, outputs, w, panel);
  } else {
    pack_blocks(Int8Numbers(), format, in, outputs, w, panel);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {
namespace {

int panel_count(int out) {
  return (out + kPanel - 1) / kPanel;
}

}  // namespace

HWY_EXPORT(pack_panel);
HWY_EXPORT(multiply_narrow);

NarrowMatrix::NarrowMatrix(NarrowFormat format, int in, int out, MatrixView w, float* memory)
    : format_(format), in_(in), out_(out), panels_(reinterpret_cast<const char*>(memory)) {
  auto* panel = reinterpret_cast<char*>(memory);
  for (int first = 0; first < out; first += kPanel, panel += panel_bytes(format, in)) {
    HWY_DYNAMIC_DISPATCH(pack_panel)(format, in, std::min(kPanel, out - first), part(w, 0, first), panel);
  }
}

void NarrowMatrix::multiply(int rows, const float* x, float* y) const {
  HWY_DYNAMIC_DISPATCH(multiply_narrow)
  (format_, in_, out_, panels_, rows, x, y);
}

std::size_t NarrowMatrix::bytes(NarrowFormat format, int in, int out) {
  return std::size_t(panel_count(out)) * panel_bytes(format, in);
}

}  // namespace btm
#endif  // HWY_ONCE
