// Several vectors that are computed side by side, and exponentials of them. An exponential is a long chain of
// operations, each of which waits for the one before: taking one vector after the other, a CPU finds too few chains to
// keep its units busy.
#if defined(BTM_MODEL_KERNELS_VECTOR_GROUP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BTM_MODEL_KERNELS_VECTOR_GROUP_INL_H_
#undef BTM_MODEL_KERNELS_VECTOR_GROUP_INL_H_
#else
#define BTM_MODEL_KERNELS_VECTOR_GROUP_INL_H_
#endif

#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// kVectors vectors of the tag D, one behind the other in memory.
template <class D, int kVectors>
struct Group {
  HWY_INLINE Group() {}  // for this instruction set: the compiler's own would be for none
  hn::Vec<D> v[kVectors];
};
template <class D, int kVectors>
struct GroupTag {
  static constexpr std::size_t kStep = hn::MaxLanes(D());  // floats from one vector to the next
};

// Highway's operations on each vector.
#define BTM_GROUP_OPERATION(name, Operation)                                             \
  template <class D, int kVectors, class... More>                                        \
  HWY_INLINE Group<D, kVectors> name(const Group<D, kVectors>& x, const More&... more) { \
    Group<D, kVectors> result;                                                           \
    HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) {                                   \
      result.v[j] = hn::Operation(x.v[j], more.v[j]...);                                 \
    }                                                                                    \
    return result;                                                                       \
  }
BTM_GROUP_OPERATION(operator+, Add)
BTM_GROUP_OPERATION(operator-, Sub)
BTM_GROUP_OPERATION(operator*, Mul)
BTM_GROUP_OPERATION(mul_add, MulAdd)
BTM_GROUP_OPERATION(mul_sub, MulSub)
BTM_GROUP_OPERATION(neg_mul_add, NegMulAdd)
BTM_GROUP_OPERATION(round, Round)
#undef BTM_GROUP_OPERATION

template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> set(GroupTag<D, kVectors>, float x) {
  Group<D, kVectors> result;
  HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) result.v[j] = hn::Set(D(), x);
  return result;
}
template <class D, int kVectors, class Number>
HWY_INLINE Group<D, kVectors> load_operand(GroupTag<D, kVectors> g, const Number* p) {
  Group<D, kVectors> result;
  HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) result.v[j] = load_operand(D(), p + j * g.kStep);
  return result;
}
// Gives what load_operand will.
template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> store_operand(Group<D, kVectors> x, GroupTag<D, kVectors> g, float* p) {
  HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) hn::StoreU(x.v[j], D(), p + j * g.kStep);
  return x;
}
template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> store_operand(Group<D, kVectors> x, GroupTag<D, kVectors> g, bf16* p) {
  if (HWY_LIKELY(cpu_rounds(D()))) {
    HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) x.v[j] = store_rounded_by_cpu(x.v[j], D(), p + j * g.kStep);
  } else {
    HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) x.v[j] = store_rounded_by_bits(x.v[j], D(), p + j * g.kStep);
  }
  return x;
}

// step(tag, i) over [0, count): groups of vectors, then vectors, then single floats.
template <class Step>
HWY_INLINE void for_each_group(std::size_t count, Step&& step) {
  constexpr std::size_t kVectors = 4, kAtOnce = kVectors * kLanes;
  std::size_t i = 0;
  for (; i + kAtOnce <= count; i += kAtOnce) step(GroupTag<Lane, kVectors>(), i);
  for (; i + kLanes <= count; i += kLanes) step(GroupTag<Lane, 1>(), i);
  for (; i < count; ++i) step(GroupTag<Single, 1>(), i);
}

// The sum of the numbers of groups, in their order.
class GroupSum {
 public:
  HWY_INLINE GroupSum() : of_lanes_(hn::Zero(Lane())), of_singles_(0) {}

  template <int kVectors>
  HWY_INLINE void add(const Group<Lane, kVectors>& x) {
    HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) of_lanes_ = hn::Add(of_lanes_, x.v[j]);
  }
  HWY_INLINE void add(const Group<Single, 1>& x) { of_singles_ += hn::GetLane(x.v[0]); }
  HWY_INLINE float sum() const { return hn::GetLane(hn::SumOfLanes(Lane(), of_lanes_)) + of_singles_; }

 private:
  V of_lanes_;
  float of_singles_;
};

// x, or the end that it is beyond; NaN stays NaN.
template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> within(Group<D, kVectors> x, float least, float most) {
  const auto low = hn::Set(D(), least), high = hn::Set(D(), most);
  HWY_UNROLL(8)
  for (int j = 0; j < kVectors; ++j) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
    x.v[j] = hn::Min(high, hn::Max(low, x.v[j]));  // of a number and NaN x86 takes the second
#else
    x.v[j] = hn::IfThenElse(hn::Lt(x.v[j], low), low, hn::IfThenElse(hn::Gt(x.v[j], high), high, x.v[j]));
#endif
  }
  return x;
}

// 2^(n + r), for whole n in [-126, 127] and r in [-1/2, 1/2], to 2e-7 relative: by the polynomial of degree 5 whose
// largest relative error is the smallest (9e-8).
template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> power_of_two(const Group<D, kVectors>& n, const Group<D, kVectors>& r) {
  const GroupTag<D, kVectors> g;
  auto p = mul_add(set(g, 1.326472731e-3f), r, set(g, 9.671512991e-3f));
  p = mul_add(p, r, set(g, 5.550733581e-2f));
  p = mul_add(p, r, set(g, 2.402224243e-1f));
  p = mul_add(p, r, set(g, 6.931470037e-1f));
  p = mul_add(p, r, set(g, 1.0f));
  HWY_UNROLL(8)
  for (int j = 0; j < kVectors; ++j) {
#if BTM_IS_AVX512
    if constexpr (hn::MaxLanes(D()) == 16) {
      p.v[j] = hn::Vec<D>{_mm512_scalef_ps(p.v[j].raw, n.v[j].raw)};
      continue;
    }
#endif
    const hn::RebindToSigned<D> whole;  // the bits of 2^n: multiplied by it, NaN stays NaN
    const auto exponent = hn::Add(hn::ConvertTo(whole, n.v[j]), hn::Set(whole, 127));
    p.v[j] = hn::Mul(p.v[j], hn::BitCast(D(), hn::ShiftLeft<23>(exponent)));
  }
  return p;
}

// exp(x) to 2e-7 + 1.3e-8 |x| relative. Below -87 it gives exp(-87), 1.6e-38, in place of still smaller numbers.
template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> fast_exp(Group<D, kVectors> x) {
  const GroupTag<D, kVectors> g;
  const auto log2e = set(g, 1.44269504f);
  x = within(x, -87, 88);
  const auto n = round(x * log2e);
  return power_of_two(n, mul_sub(x, log2e, n));
}

// 1 / x to about 3e-7 relative, for x in [1, 1e38]
template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> reciprocal(const Group<D, kVectors>& x) {
  Group<D, kVectors> result;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  if constexpr (hn::MaxLanes(D()) > 1) {  // to 12 bits and more, and a step of Newton's: faster than a division
    HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) result.v[j] = hn::ApproximateReciprocal(x.v[j]);
    return mul_add(result, neg_mul_add(x, result, set(GroupTag<D, kVectors>(), 1.0f)), result);
  }
#endif
  HWY_UNROLL(8) for (int j = 0; j < kVectors; ++j) result.v[j] = hn::Div(hn::Set(D(), 1.0f), x.v[j]);
  return result;
}

// 1 / (1 + exp(-x))
template <class D, int kVectors>
HWY_INLINE Group<D, kVectors> sigmoid(const Group<D, kVectors>& x) {
  const GroupTag<D, kVectors> g;
  return reciprocal(fast_exp(set(g, 0.0f) - x) + set(g, 1.0f));
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
