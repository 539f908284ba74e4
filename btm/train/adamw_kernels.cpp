// Highway compiles this file once per instruction set; see https://github.com/google/highway, "dynamic dispatch".
#include "btm/train/adamw_kernels.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/train/adamw_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace btm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Doubles = hn::ScalableTag<double>;

double ReduceGradients(std::span<float* const> sums, std::size_t begin, std::size_t size) {
  const Doubles d;
  const hn::Rebind<float, Doubles> f;  // as many floats as there are doubles in a vector
  const std::size_t lanes = hn::Lanes(d);
  float* first = sums[0] + begin;
  auto vector = [&](std::size_t i, hn::Vec<Doubles> squares) {
    auto sum = hn::LoadU(f, first + i);
    for (std::size_t r = 1; r < sums.size(); ++r) {
      float* other = sums[r] + begin + i;
      sum = hn::Add(sum, hn::LoadU(f, other));
      hn::StoreU(hn::Zero(f), f, other);
    }
    hn::StoreU(sum, f, first + i);
    auto wide = hn::PromoteTo(d, sum);
    return hn::MulAdd(wide, wide, squares);
  };
  auto even = hn::Zero(d), odd = hn::Zero(d);
  std::size_t i = 0;
  for (; i + 2 * lanes <= size; i += 2 * lanes) {
    even = vector(i, even);
    odd = vector(i + lanes, odd);
  }
  double squares = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; i < size; ++i) {
    for (std::size_t r = 1; r < sums.size(); ++r) {
      first[i] += sums[r][begin + i];
      sums[r][begin + i] = 0;
    }
    squares += static_cast<double>(first[i]) * static_cast<double>(first[i]);
  }
  return squares;
}

void AdamwUpdate(const AdamwScalars& s, float* p, float* m, float* v, float* g, std::size_t size) {
  const Floats f;
  const std::size_t lanes = hn::Lanes(f);
  const auto scale = hn::Set(f, s.gradient_scale), decay = hn::Set(f, s.decay), beta1_rest = hn::Set(f, s.beta1_rest);
  const auto beta2 = hn::Set(f, s.beta2), beta2_rest = hn::Set(f, s.beta2_rest), step = hn::Set(f, s.step);
  const auto inverse_root = hn::Set(f, s.inverse_root), epsilon = hn::Set(f, s.epsilon);
  auto vector = [&](float* pi, float* mi, float* vi, float* gi) {
    auto gradient = hn::Mul(hn::LoadU(f, gi), scale);
    auto mean = hn::LoadU(f, mi), square = hn::LoadU(f, vi);
    mean = hn::MulAdd(hn::Sub(gradient, mean), beta1_rest, mean);
    square = hn::MulAdd(hn::Mul(gradient, gradient), beta2_rest, hn::Mul(square, beta2));
    auto denominator = hn::MulAdd(hn::Sqrt(square), inverse_root, epsilon);
    hn::StoreU(hn::Sub(hn::Mul(hn::LoadU(f, pi), decay), hn::Div(hn::Mul(step, mean), denominator)), f, pi);
    hn::StoreU(mean, f, mi);
    hn::StoreU(square, f, vi);
    hn::StoreU(hn::Zero(f), f, gi);
  };
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) vector(p + i, m + i, v + i, g + i);
  if (i < size) {  // the tail, in copies that are a vector long
    float copy[4][hn::MaxLanes(f)] = {};
    float* const arrays[4] = {p + i, m + i, v + i, g + i};
    const std::size_t bytes = (size - i) * sizeof(float);
    for (int a = 0; a < 4; ++a) std::memcpy(copy[a], arrays[a], bytes);
    vector(copy[0], copy[1], copy[2], copy[3]);
    for (int a = 0; a < 4; ++a) std::memcpy(arrays[a], copy[a], bytes);
  }
}

}  // namespace btm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(ReduceGradients);
HWY_EXPORT(AdamwUpdate);

double reduce_gradients(std::span<float* const> sums, std::size_t begin, std::size_t size) {
  return HWY_DYNAMIC_DISPATCH(ReduceGradients)(sums, begin, size);
}

void adamw_update(const AdamwScalars& scalars, float* p, float* m, float* v, float* g, std::size_t size) {
  HWY_DYNAMIC_DISPATCH(AdamwUpdate)(scalars, p, m, v, g, size);
}

}  // namespace btm
#endif
