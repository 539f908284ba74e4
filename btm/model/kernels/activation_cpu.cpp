#include "btm/model/kernels/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/activation_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector_group-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// gelu(x) = x/2 (1 + tanh(u)) = x sigmoid(2u) with 2u = x (kLinear + kCubic x^2)
constexpr float kLinear = 1.5957691216f;  // 2 sqrt(2 / pi)
constexpr float kCubic = kLinear * 0.044715f;

template <class Number>
void gelu_forward_to(int rows, int width, const float* product, const float* bias, Number* before, Number* after) {
  for (int row = 0; row < rows; ++row, product += width, before += width, after += width) {
    for_each_group(width, [=](auto g, std::size_t i) HWY_ATTR {
      const auto x = store_operand(load_operand(g, product + i) + load_operand(g, bias + i), g, before + i);
      const auto u = x * mul_add(x * x, set(g, kCubic), set(g, kLinear));
      store_operand(x * sigmoid(u), g, after + i);
    });
  }
}

template <class Number>
void gelu_backward_to(int rows, int width, const Number* before, const float* d_after, Number* d_before, float* d_bias,
                      Number* after) {
  for (int row = 0; row < rows; ++row, before += width, d_after += width, d_before += width, after += width) {
    for_each_group(width, [=](auto g, std::size_t i) HWY_ATTR {
      const auto x = load_operand(g, before + i);
      const auto square = x * x;
      const auto u = x * mul_add(square, set(g, kCubic), set(g, kLinear));
      const auto du = mul_add(square, set(g, 3 * kCubic), set(g, kLinear));
      const auto s = sigmoid(u);
      const auto y = x * s;
      store_operand(y, g, after + i);
      const auto slope = mul_add(y * du, set(g, 1.0f) - s, s);
      const auto dx = load_operand(g, d_after + i) * slope;
      store_operand(dx, g, d_before + i);
      store_operand(load_operand(g, d_bias + i) + dx, g, d_bias + i);
    });
  }
}

template <class Number>
void swiglu_forward_to(int rows, int width, const float* product, Number* gate_up, Number* after) {
  for (int row = 0; row < rows; ++row, product += 2 * width, gate_up += 2 * width, after += width) {
    for_each_group(width, [=](auto g, std::size_t i) HWY_ATTR {
      const auto gate = store_operand(load_operand(g, product + i), g, gate_up + i);
      const auto up = store_operand(load_operand(g, product + width + i), g, gate_up + width + i);
      store_operand(gate * sigmoid(gate) * up, g, after + i);
    });
  }
}

template <class Number>
void swiglu_backward_to(int rows, int width, const Number* gate_up, const float* d_after, Number* d_gate_up,
                        Number* after) {
  for (int row = 0; row < rows; ++row, gate_up += 2 * width, d_gate_up += 2 * width, d_after += width, after += width) {
    for_each_group(width, [=](auto g, std::size_t i) HWY_ATTR {
      const auto gate = load_operand(g, gate_up + i), up = load_operand(g, gate_up + width + i);
      const auto dy = load_operand(g, d_after + i);
      const auto s = sigmoid(gate);
      const auto silu = gate * s;
      const auto slope = mul_add(silu, set(g, 1.0f) - s, s);
      store_operand(silu * up, g, after + i);
      store_operand(dy * up * slope, g, d_gate_up + i);
      store_operand(dy * silu, g, d_gate_up + width + i);
    });
  }
}

template <class Number>
void bias_forward_to(int rows, int width, const float* product, const float* bias, Number* y) {
  for (int row = 0; row < rows; ++row, product += width, y += width) {
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      auto x = hn::LoadU(d, product + i);
      if (bias) x = hn::Add(x, hn::LoadU(d, bias + i));
      store_operand(x, d, y + i);
    });
  }
}

template <class Number>
void bias_backward_from(int rows, int width, const Number* dy, float* d_bias) {
  for (int row = 0; row < rows; ++row, dy += width) {
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      hn::StoreU(hn::Add(hn::LoadU(d, d_bias + i), load_operand(d, dy + i)), d, d_bias + i);
    });
  }
}

void gelu_forward_rows(int rows, int width, const float* product, const float* bias, OperandArray before,
                       OperandArray after) {
  with_numbers(before,
               [=]<class Number>(Number* x) { gelu_forward_to(rows, width, product, bias, x, after.as<Number>()); });
}
void gelu_backward_rows(int rows, int width, OperandView before, const float* d_after, OperandArray d_before,
                        float* d_bias, OperandArray after) {
  with_numbers(d_before, [=]<class Number>(Number* dx) {
    gelu_backward_to(rows, width, before.as<Number>(), d_after, dx, d_bias, after.as<Number>());
  });
}
void swiglu_forward_rows(int rows, int width, const float* product, OperandArray gate_up, OperandArray after) {
  with_numbers(gate_up,
               [=]<class Number>(Number* x) { swiglu_forward_to(rows, width, product, x, after.as<Number>()); });
}
void swiglu_backward_rows(int rows, int width, OperandView gate_up, const float* d_after, OperandArray d_gate_up,
                          OperandArray after) {
  with_numbers(d_gate_up, [=]<class Number>(Number* dx) {
    swiglu_backward_to(rows, width, gate_up.as<Number>(), d_after, dx, after.as<Number>());
  });
}
void bias_forward_rows(int rows, int width, const float* product, const float* bias, OperandArray y) {
  with_numbers(y, [=](auto* numbers) { bias_forward_to(rows, width, product, bias, numbers); });
}
void bias_backward_rows(int rows, int width, OperandView dy, float* d_bias) {
  with_numbers(dy, [=](const auto* numbers) { bias_backward_from(rows, width, numbers, d_bias); });
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

void gelu_forward(int rows, int width, const float* product, const float* bias, OperandArray before,
                  OperandArray after) {
  HWY_DYNAMIC_DISPATCH(gelu_forward_rows)(rows, width, product, bias, before, after);
}
void gelu_backward(int rows, int width, OperandView before, const float* d_after, OperandArray d_before, float* d_bias,
                   OperandArray after) {
  HWY_DYNAMIC_DISPATCH(gelu_backward_rows)(rows, width, before, d_after, d_before, d_bias, after);
}
void swiglu_forward(int rows, int width, const float* product, OperandArray gate_up, OperandArray after) {
  HWY_DYNAMIC_DISPATCH(swiglu_forward_rows)(rows, width, product, gate_up, after);
}
void swiglu_backward(int rows, int width, OperandView gate_up, const float* d_after, OperandArray d_gate_up,
                     OperandArray after) {
  HWY_DYNAMIC_DISPATCH(swiglu_backward_rows)(rows, width, gate_up, d_after, d_gate_up, after);
}
void bias_forward(int rows, int width, const float* product, const float* bias, OperandArray y) {
  if (!bias && y.as<void>() == product) return;
  HWY_DYNAMIC_DISPATCH(bias_forward_rows)(rows, width, product, bias, y);
}
void bias_backward(int rows, int width, OperandView dy, float* d_bias) {
  HWY_DYNAMIC_DISPATCH(bias_backward_rows)(rows, width, dy, d_bias);
}

}  // namespace btm
#endif  // HWY_ONCE
