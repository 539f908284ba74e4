#include "btm/model/kernels/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/activation_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// gelu(x) = x/2 (1 + tanh(u)) = x sigmoid(2u) with 2u = x (kLinear + kCubic x^2)
constexpr float kLinear = 1.5957691216f;  // 2 sqrt(2 / pi)
constexpr float kCubic = kLinear * 0.044715f;

void gelu_forward_rows(int rows, int width, const float* bias, float* before, float* after) {
  for (int row = 0; row < rows; ++row, before += width, after += width) {
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      const auto x = hn::Add(hn::LoadU(d, before + i), hn::LoadU(d, bias + i));
      const auto u = hn::Mul(x, hn::MulAdd(hn::Mul(x, x), hn::Set(d, kCubic), hn::Set(d, kLinear)));
      hn::StoreU(x, d, before + i);
      hn::StoreU(hn::Mul(x, sigmoid(d, u)), d, after + i);
    });
  }
}

void gelu_backward_rows(int rows, int width, const float* before, float* dy, float* d_bias) {
  for (int row = 0; row < rows; ++row, before += width, dy += width) {
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      const auto x = hn::LoadU(d, before + i);
      const auto square = hn::Mul(x, x);
      const auto u = hn::Mul(x, hn::MulAdd(square, hn::Set(d, kCubic), hn::Set(d, kLinear)));
      const auto du = hn::MulAdd(square, hn::Set(d, 3 * kCubic), hn::Set(d, kLinear));
      const auto s = sigmoid(d, u);
      const auto slope = hn::MulAdd(hn::Mul(hn::Mul(x, du), s), hn::Sub(hn::Set(d, 1.0f), s), s);
      const auto dx = hn::Mul(hn::LoadU(d, dy + i), slope);
      hn::StoreU(dx, d, dy + i);
      hn::StoreU(hn::Add(hn::LoadU(d, d_bias + i), dx), d, d_bias + i);
    });
  }
}

void swiglu_forward_rows(int rows, int width, const float* gate_up, float* after) {
  for (int row = 0; row < rows; ++row, gate_up += 2 * width, after += width) {
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      const auto gate = hn::LoadU(d, gate_up + i), up = hn::LoadU(d, gate_up + width + i);
      hn::StoreU(hn::Mul(hn::Mul(gate, sigmoid(d, gate)), up), d, after + i);
    });
  }
}

void swiglu_backward_rows(int rows, int width, const float* gate_up, const float* d_after, float* d_gate_up) {
  for (int row = 0; row < rows; ++row, gate_up += 2 * width, d_gate_up += 2 * width, d_after += width) {
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      const auto gate = hn::LoadU(d, gate_up + i), up = hn::LoadU(d, gate_up + width + i);
      const auto dy = hn::LoadU(d, d_after + i);
      const auto s = sigmoid(d, gate);
      const auto silu = hn::Mul(gate, s);
      const auto slope = hn::MulAdd(silu, hn::Sub(hn::Set(d, 1.0f), s), s);
      hn::StoreU(hn::Mul(hn::Mul(dy, up), slope), d, d_gate_up + i);
      hn::StoreU(hn::Mul(dy, silu), d, d_gate_up + width + i);
    });
  }
}

void bias_forward_rows(int rows, int width, const float* bias, float* y) {
  for (int row = 0; row < rows; ++row, y += width) add_to(bias, width, y);
}

void bias_backward_rows(int rows, int width, const float* dy, float* d_bias) {
  for (int row = 0; row < rows; ++row, dy += width) add_to(dy, width, d_bias);
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(gelu_forward_rows);
HWY_EXPORT(gelu_backward_rows);
HWY_EXPORT(swiglu_forward_rows);
HWY_EXPORT(swiglu_backward_rows);
HWY_EXPORT(bias_forward_rows);
HWY_EXPORT(bias_backward_rows);

void gelu_forward(int rows, int width, const float* bias, float* before, float* after) {
  HWY_DYNAMIC_DISPATCH(gelu_forward_rows)(rows, width, bias, before, after);
}
void gelu_backward(int rows, int width, const float* before, float* d, float* d_bias) {
  HWY_DYNAMIC_DISPATCH(gelu_backward_rows)(rows, width, before, d, d_bias);
}
void swiglu_forward(int rows, int width, const float* gate_up, float* after) {
  HWY_DYNAMIC_DISPATCH(swiglu_forward_rows)(rows, width, gate_up, after);
}
void swiglu_backward(int rows, int width, const float* gate_up, const float* d_after, float* d_gate_up) {
  HWY_DYNAMIC_DISPATCH(swiglu_backward_rows)(rows, width, gate_up, d_after, d_gate_up);
}
void bias_forward(int rows, int width, const float* bias, float* y) {
  HWY_DYNAMIC_DISPATCH(bias_forward_rows)(rows, width, bias, y);
}
void bias_backward(int rows, int width, const float* dy, float* d_bias) {
  HWY_DYNAMIC_DISPATCH(bias_backward_rows)(rows, width, dy, d_bias);
}

}  // namespace btm
#endif  // HWY_ONCE
