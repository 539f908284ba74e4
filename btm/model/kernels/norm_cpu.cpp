#include <cmath>

#include "btm/model/kernels/norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/norm_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// sum over i of term(tag, i)
template <class Term>
HWY_INLINE float sum_of(std::size_t count, Term&& term) {
  const Wide wide;
  const Single single;
  const std::size_t lanes = hn::Lanes(wide);
  auto first = hn::Zero(wide), second = first;
  std::size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    first = hn::Add(first, term(wide, i));
    second = hn::Add(second, term(wide, i + lanes));
  }
  for (; i + lanes <= count; i += lanes) first = hn::Add(first, term(wide, i));
  float total = hn::GetLane(hn::SumOfLanes(wide, hn::Add(first, second)));
  for (; i < count; ++i) total += hn::GetLane(term(single, i));
  return total;
}

HWY_INLINE void add_residual(std::size_t width, const float* input, const float* delta, const float* bias, float* sum) {
  for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
    auto value = hn::LoadU(d, input + i);
    if (delta) value = hn::Add(value, hn::LoadU(d, delta + i));
    if (bias) value = hn::Add(value, hn::LoadU(d, bias + i));
    hn::StoreU(value, d, sum + i);
  });
}

template <class Number>
void norm_forward_to(const NormShape& shape, int rows, const float* input, const float* delta, const float* delta_bias,
                     const float* gain, const float* shift, float* sum, Number* normed, float* statistics) {
  const std::size_t width = shape.width;
  for (int row = 0; row < rows; ++row, input += width, sum += width, normed += width, statistics += 2) {
    if (delta || sum != input) add_residual(width, input, delta, delta_bias, sum);
    if (delta) delta += width;
    const float* x = sum;
    float mean = 0;
    if (shape.centred) {
      mean = sum_of(width, [=](auto d, std::size_t i) HWY_ATTR { return hn::LoadU(d, x + i); }) / float(width);
    }
    float square = sum_of(width, [=](auto d, std::size_t i) HWY_ATTR {
      const auto centred = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
      return hn::Mul(centred, centred);
    });
    const float scale = 1.0f / std::sqrt(square / float(width) + shape.epsilon);
    statistics[0] = mean;
    statistics[1] = scale;
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      auto y = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, scale));
      y = hn::Mul(y, hn::LoadU(d, gain + i));
      if (shift) y = hn::Add(y, hn::LoadU(d, shift + i));
      store_operand(y, d, normed + i);
    });
  }
}

void norm_forward_rows(const NormShape& shape, int rows, const float* input, const float* delta,
                       const float* delta_bias, const float* gain, const float* shift, float* sum, OperandArray normed,
                       float* statistics) {
  with_numbers(normed, [=](auto* numbers) {
    norm_forward_to(shape, rows, input, delta, delta_bias, gain, shift, sum, numbers, statistics);
  });
}

// With h = (x - mean) x scale and g = d_normed x gain: dx = scale x (g - mean(g) - h x mean(g x h)), where RMSNorm has
// no mean(g).
void norm_backward_rows(const NormShape& shape, int rows, const float* sum, const float* gain, const float* statistics,
                        const float* d_normed, float* d_sum, bf16* rounded, float* d_gain, float* d_shift,
                        float* d_delta_bias) {
  const std::size_t width = shape.width;
  for (int row = 0; row < rows; ++row, sum += width, d_normed += width, d_sum += width, statistics += 2) {
    const float *x = sum, *dy = d_normed;
    float* dx = d_sum;
    const float mean = statistics[0], scale = statistics[1];
    float mean_g = 0;
    if (shape.centred) {
      mean_g = sum_of(
          width, [=](auto d, std::size_t i) HWY_ATTR { return hn::Mul(hn::LoadU(d, dy + i), hn::LoadU(d, gain + i)); });
      mean_g /= float(width);
    }
    float mean_gh = sum_of(width, [=](auto d, std::size_t i) HWY_ATTR {
      const auto centred = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
      return hn::Mul(hn::Mul(hn::LoadU(d, dy + i), hn::LoadU(d, gain + i)), centred);
    });
    mean_gh *= scale / float(width);
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      const auto h = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, scale));
      const auto y = hn::LoadU(d, dy + i);
      const auto g = hn::Sub(hn::Mul(y, hn::LoadU(d, gain + i)), hn::Set(d, mean_g));
      const auto through = hn::NegMulAdd(h, hn::Set(d, mean_gh), g);
      const auto total = hn::MulAdd(through, hn::Set(d, scale), hn::LoadU(d, dx + i));
      hn::StoreU(total, d, dx + i);
      if (rounded) store_operand(total, d, rounded + i);
      hn::StoreU(hn::MulAdd(y, h, hn::LoadU(d, d_gain + i)), d, d_gain + i);
      if (d_shift) hn::StoreU(hn::Add(hn::LoadU(d, d_shift + i), y), d, d_shift + i);
      if (d_delta_bias) hn::StoreU(hn::Add(hn::LoadU(d, d_delta_bias + i), total), d, d_delta_bias + i);
    });
    if (rounded) rounded += width;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(norm_forward_rows);
HWY_EXPORT(norm_backward_rows);

void norm_forward(const NormShape& shape, int rows, const float* input, const float* delta, const float* delta_bias,
                  const float* gain, const float* shift, float* sum, OperandArray normed, float* statistics) {
  HWY_DYNAMIC_DISPATCH(norm_forward_rows)
  (shape, rows, input, delta, delta_bias, gain, shift, sum, normed, statistics);
}

void norm_backward(const NormShape& shape, int rows, const float* sum, const float* gain, const float* statistics,
                   const float* d_normed, float* d_sum, bf16* rounded, float* d_gain, float* d_shift,
                   float* d_delta_bias) {
  HWY_DYNAMIC_DISPATCH(norm_backward_rows)
  (shape, rows, sum, gain, statistics, d_normed, d_sum, rounded, d_gain, d_shift, d_delta_bias);
}

}  // namespace btm
#endif  // HWY_ONCE
