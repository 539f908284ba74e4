#include <cmath>

#include "btm/model/kernels/rope.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/rope_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

template <class Number>
void turn_rows(const float* table, float direction, int rows, const int* positions, int heads, int head_dim, Number* x,
               int stride) {
  const std::size_t half = head_dim / 2;
  for (int row = 0; row < rows; ++row, x += stride) {
    const float* cosines = table + static_cast<std::size_t>(positions[row]) * head_dim;
    const float* sines = cosines + half;
    for (int head = 0; head < heads; ++head) {
      Number *low = x + std::size_t(head) * head_dim, *high = low + half;
      for_each_vector(half, [=](auto d, std::size_t i) HWY_ATTR {
        const auto c = hn::LoadU(d, cosines + i), s = hn::Mul(hn::LoadU(d, sines + i), hn::Set(d, direction));
        const auto a = load_operand(d, low + i), b = load_operand(d, high + i);
        store_operand(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, low + i);
        store_operand(hn::MulAdd(a, s, hn::Mul(b, c)), d, high + i);
      });
    }
  }
}

void rope_rows(const float* table, float direction, int rows, const int* positions, int heads, int head_dim,
               OperandArray x, int stride) {
  with_numbers(x,
               [=](auto* numbers) { turn_rows(table, direction, rows, positions, heads, head_dim, numbers, stride); });
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(rope_rows);

Buffer rope_table(int context, int head_dim, double theta, const RopeScaling& scaling) {
  Buffer table(static_cast<std::size_t>(context) * head_dim);
  const int half = head_dim / 2;
  for (int position = 0; position < context; ++position) {
    float* row = table.data() + static_cast<std::size_t>(position) * head_dim;
    for (int i = 0; i < half; ++i) {
      // The angle is rounded to float as in transformers, so that far positions agree.
      float frequency = 1.0f / std::pow(static_cast<float>(theta), static_cast<float>(2 * i) / float(head_dim));
      float angle = static_cast<float>(position) * scaled_frequency(frequency, scaling);
      row[i] = std::cos(angle);
      row[half + i] = std::sin(angle);
    }
  }
  return table;
}

void rope(const Buffer& table, Turn turn, int rows, const int* positions, int heads, int head_dim, OperandArray x,
          int stride) {
  const float direction = turn == Turn::forward ? 1.0f : -1.0f;
  HWY_DYNAMIC_DISPATCH(rope_rows)(table.data(), direction, rows, positions, heads, head_dim, x, stride);
}

}  // namespace btm
#endif  // HWY_ONCE
