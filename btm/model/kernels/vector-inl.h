// Vector helpers of the CPU kernels, compiled once per instruction set (see Highway's foreach_target.h).
#if defined(BTM_MODEL_KERNELS_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BTM_MODEL_KERNELS_VECTOR_INL_H_
#undef BTM_MODEL_KERNELS_VECTOR_INL_H_
#else
#define BTM_MODEL_KERNELS_VECTOR_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "btm/model/bf16.h"
#include "btm/model/kernels/cpu_features.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::ScalableTag<float>;
using Lane = hn::CappedTag<float, 16>;  // vectors to keep in arrays: their size is known when compiling
using V = hn::Vec<Lane>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Lane()));
using Single = hn::CappedTag<float, 1>;  // the same code for what is left at the end of a row

// step(tag, i) over [0, count): whole vectors first, then single floats.
template <class Step>
HWY_INLINE void for_each_vector(std::size_t count, Step&& step) {
  const Wide wide;
  const Single single;
  const std::size_t lanes = hn::Lanes(wide);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) step(wide, i);
  for (; i < count; ++i) step(single, i);
}

// The first `count` lanes as at p, which need not be aligned, the others 0; nothing beyond is read. (Highway's
// MaskedLoad is so from AVX2 on alone: below it wants alignment, and it loads whole vectors.)
template <class D>
HWY_INLINE hn::Vec<D> load_first(D d, const float* p, std::size_t count) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, count), d, p);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(D())] = {};
  std::copy_n(p, std::min(count, hn::MaxLanes(D())), lanes);
  return hn::Load(d, lanes);
#endif
}

// The first `count` lanes to p, which need not be aligned; nothing beyond is touched. (Highway's BlendedStore is so on
// x86 alone, and slow below AVX2: elsewhere it loads and stores whole vectors.)
template <class D>
HWY_INLINE void store_first(hn::Vec<D> x, D d, float* p, std::size_t count) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(x, hn::FirstN(d, count), d, p);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(x, d, lanes);
  std::copy_n(lanes, std::min(count, hn::MaxLanes(D())), p);
#endif
}

#undef BTM_IS_AVX512
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3  // newer ones have lower numbers
#define BTM_IS_AVX512 1
#else
#define BTM_IS_AVX512 0
#endif

// Of operands (operands.h): as they are, or rounded to bfloat16, to nearest, ties to even. (Numbers below 1.2e-38
// become zero where the CPU rounds by itself.)
template <class D>
HWY_INLINE void store_operand(hn::Vec<D> x, D d, float* p) {
  hn::StoreU(x, d, p);
}
template <class D>
HWY_INLINE void store_operand(hn::Vec<D> x, D, bf16* p) {
#if BTM_IS_AVX512
  if constexpr (hn::MaxLanes(D()) == 16) {
    if (HWY_LIKELY(kHasAvx512Bf16)) {
      __m256i rounded;  // by name: the intrinsic would ask for all of the kernel to be compiled for such CPUs
      asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(x.raw));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), rounded);
      return;
    }
  }
#endif
  const hn::RebindToUnsigned<D> words;
  const hn::Rebind<std::uint16_t, D> halves;
  const auto bits = hn::BitCast(words, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7fff)));
  const auto quiet = hn::Or(bits, hn::Set(words, 0x400000));  // a NaN could become an infinity by rounding
  const auto result = hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(x)), quiet, rounded);
  hn::StoreU(hn::TruncateTo(halves, hn::ShiftRight<16>(result)), halves, reinterpret_cast<std::uint16_t*>(p));
}

template <class D>
HWY_INLINE hn::Vec<D> load_operand(D d, const float* p) {
  return hn::LoadU(d, p);
}
template <class D>
HWY_INLINE hn::Vec<D> load_operand(D d, const bf16* p) {
  const hn::RebindToUnsigned<D> words;
  const hn::Rebind<std::uint16_t, D> halves;
  const auto bits = hn::LoadU(halves, reinterpret_cast<const std::uint16_t*>(p));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(words, bits)));
}

// exp(x) to about 2e-7 relative: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes, expf). Below -87 it gives
// exp(-87), 1.6e-38, in place of still smaller numbers.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fast_exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  x = hn::Min(hn::Set(d, 88.0f), hn::Max(hn::Set(d, -87.0f), x));  // in this order NaN stays NaN on x86
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);  // ln 2 in two parts, the first exact in few bits
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 1.9875691500e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
#if BTM_IS_AVX512
  if constexpr (hn::MaxLanes(d) == 16) return V{_mm512_scalef_ps(p.raw, n.raw)};
#endif
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, n));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, fast_exp(d, hn::Neg(x))));
}

// Of at least one number. Four maxima at a time, so that one need not wait for the one before.
HWY_INLINE float largest(const float* x, std::size_t count) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  if (count < lanes) return *std::max_element(x, x + count);
  auto m0 = hn::LoadU(d, x + count - lanes), m1 = m0, m2 = m0, m3 = m0;  // what is behind the last whole vector
  std::size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    m0 = hn::Max(m0, hn::LoadU(d, x + i));
    m1 = hn::Max(m1, hn::LoadU(d, x + i + lanes));
    m2 = hn::Max(m2, hn::LoadU(d, x + i + 2 * lanes));
    m3 = hn::Max(m3, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= count; i += lanes) m0 = hn::Max(m0, hn::LoadU(d, x + i));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(m0, m1), hn::Max(m2, m3))));
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
