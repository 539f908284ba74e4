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

// Rounds to bfloat16, to nearest, ties to even; gives what load_operand will. (Numbers below 1.2e-38 become zero where
// the CPU rounds by itself.)
template <class D>
HWY_INLINE bool cpu_rounds(D d) {
  return BTM_IS_AVX512 && hn::MaxLanes(d) == 16 && kHasAvx512Bf16;
}
template <class D>
HWY_INLINE hn::Vec<D> store_rounded_by_cpu([[maybe_unused]] hn::Vec<D> x, [[maybe_unused]] D d,
                                           [[maybe_unused]] bf16* p) {
#if BTM_IS_AVX512
  if constexpr (hn::MaxLanes(d) == 16) {
    __m256i rounded;  // by name: the intrinsic would ask for all of the kernel to be compiled for such CPUs
    asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(x.raw));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), rounded);
    return hn::Vec<D>{_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(rounded), 16))};
  }
#endif
  HWY_ABORT("not cpu_rounds()");
}
template <class D>
HWY_INLINE hn::Vec<D> rounded_by_bits(D d, hn::Vec<D> x) {
  const hn::RebindToUnsigned<D> words;
  const auto bits = hn::BitCast(words, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7fff)));
  const auto quiet = hn::Or(bits, hn::Set(words, 0x400000));  // a NaN could become an infinity by rounding
  const auto result = hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(x)), quiet, rounded);
  return hn::BitCast(d, hn::And(result, hn::Set(words, 0xffff0000)));
}
template <class D>
HWY_INLINE hn::Vec<D> store_rounded_by_bits(hn::Vec<D> x, D d, bf16* p) {
  const hn::RebindToUnsigned<D> words;
  const hn::Rebind<std::uint16_t, D> halves;
  const auto result = rounded_by_bits(d, x);
  hn::StoreU(hn::TruncateTo(halves, hn::ShiftRight<16>(hn::BitCast(words, result))), halves,
             reinterpret_cast<std::uint16_t*>(p));
  return result;
}

// Of operands (operands.h): as they are, or rounded.
template <class D>
HWY_INLINE void store_operand(hn::Vec<D> x, D d, float* p) {
  hn::StoreU(x, d, p);
}
template <class D>
HWY_INLINE void store_operand(hn::Vec<D> x, D d, bf16* p) {
  HWY_LIKELY(cpu_rounds(d)) ? store_rounded_by_cpu(x, d, p) : store_rounded_by_bits(x, d, p);
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
