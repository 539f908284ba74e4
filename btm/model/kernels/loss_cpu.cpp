#include <algorithm>
#include <cmath>

#include "btm/model/kernels/loss.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/loss_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector_group-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// Sum of exp(x - offset); the exponentials are written to `out` unless it is null. What is behind the numbers that are
// written, in `out` as in x, has not been touched yet.
template <bool kStore, class Number = float>
HWY_INLINE float exp_sum(const float* x, std::size_t count, float offset, Number* out = nullptr) {
  GroupSum total;
  for_each_group(count, [&](auto g, std::size_t i) HWY_ATTR {
    const auto e = fast_exp(load_operand(g, x + i) - set(g, offset));
    total.add(e);
    if (kStore) store_operand(e, g, out + i);
  });
  return total.sum();
}

void log_probabilities_rows(int rows, int vocab, const float* logits, const TokenId* targets, float* log_probs) {
  for (int row = 0; row < rows; ++row, logits += vocab) {
    log_probs[row] = 0;
    if (targets[row] == kNoToken) continue;
    const float offset = largest(logits, vocab);
    log_probs[row] = logits[targets[row]] - offset - std::log(exp_sum<false>(logits, vocab, offset));
  }
}

// A row of the gradient never reaches beyond the row of logits that it is made of.
template <class Number>
void cross_entropy_to(int rows, int vocab, const float* logits, const TokenId* targets, float scale, Number* gradient,
                      float* log_probs, float* factors) {
  const GroupTag<Single, 1> single;
  for (int row = 0; row < rows; ++row, logits += vocab, gradient += vocab) {
    const TokenId target = targets[row];
    log_probs[row] = factors[row] = 0;
    if (target == kNoToken) {
      std::fill_n(gradient, vocab, Number{});
      continue;
    }
    const float offset = largest(logits, vocab), at_target = logits[target] - offset;
    const float sum = exp_sum<true>(logits, vocab, offset, gradient);
    store_operand(fast_exp(set(single, at_target)) - set(single, sum), single, gradient + target);
    log_probs[row] = at_target - std::log(sum);
    factors[row] = scale / sum;
  }
}

void cross_entropy_rows(int rows, int vocab, const float* logits, const TokenId* targets, float scale,
                        OperandArray gradient, float* log_probs, float* factors) {
  with_numbers(gradient, [=](auto* numbers) {
    cross_entropy_to(rows, vocab, logits, targets, scale, numbers, log_probs, factors);
  });
}

void add_softmax(int vocab, const float* logits, float weight, float* sum) {
  const float offset = largest(logits, vocab);
  const float factor = weight / exp_sum<false>(logits, vocab, offset);
  for_each_group(vocab, [=](auto g, std::size_t i) HWY_ATTR {
    const auto e = fast_exp(load_operand(g, logits + i) - set(g, offset));
    store_operand(mul_add(set(g, factor), e, load_operand(g, sum + i)), g, sum + i);
  });
}

void add_log_softmax(int vocab, const float* logits, float weight, float* sum) {
  const float most = largest(logits, vocab);
  const float offset = most + std::log(exp_sum<false>(logits, vocab, most));
  for_each_vector(vocab, [=](auto d, std::size_t i) HWY_ATTR {
    const auto log_prob = hn::Sub(hn::LoadU(d, logits + i), hn::Set(d, offset));
    hn::StoreU(hn::MulAdd(hn::Set(d, weight), log_prob, hn::LoadU(d, sum + i)), d, sum + i);
  });
}

void softmax_of(int vocab, const float* logits, float scale, float* p) {
  const float offset = largest(logits, vocab);
  for_each_vector(vocab, [=](auto d, std::size_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::Sub(hn::LoadU(d, logits + i), hn::Set(d, offset)), hn::Set(d, scale)), d, p + i);
  });
  const float factor = 1 / exp_sum<true>(p, vocab, 0, p);
  for_each_vector(vocab, [=](auto d, std::size_t i)
                             HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, p + i), hn::Set(d, factor)), d, p + i); });
}

void logs_of(int count, float* x) {
  for_each_vector(count, [=](auto d, std::size_t i) HWY_ATTR {
    hn::StoreU(hn::Log(d, hn::Max(hn::LoadU(d, x + i), hn::Set(d, 1e-37f))), d, x + i);
  });
}

template <class Number>
void scale_rows_to(int rows, int width, const float* factors, const float* x, Number* y) {
  for (int row = 0; row < rows; ++row, x += width, y += width) {
    const float factor = factors[row];
    for_each_vector(width, [=](auto d, std::size_t i)
                               HWY_ATTR { store_operand(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, y + i); });
  }
}

void scale_rows_by(int rows, int width, const float* factors, const float* x, OperandArray y) {
  with_numbers(y, [=](auto* numbers) { scale_rows_to(rows, width, factors, x, numbers); });
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(log_probabilities_rows);
HWY_EXPORT(cross_entropy_rows);
HWY_EXPORT(softmax_of);
HWY_EXPORT(logs_of);
HWY_EXPORT(add_softmax);
HWY_EXPORT(add_log_softmax);
HWY_EXPORT(scale_rows_by);

void log_probabilities(int rows, int vocab, const float* logits, const TokenId* targets, float* log_probs) {
  HWY_DYNAMIC_DISPATCH(log_probabilities_rows)(rows, vocab, logits, targets, log_probs);
}
OperandArray cross_entropy(int rows, int vocab, float* logits, const TokenId* targets, float scale, Operands format,
                           float* log_probs, float* factors) {
  const OperandArray gradient = operands_at(logits, format);
  HWY_DYNAMIC_DISPATCH(cross_entropy_rows)(rows, vocab, logits, targets, scale, gradient, log_probs, factors);
  return gradient;
}
void softmax(int vocab, const float* logits, float scale, float* p) {
  HWY_DYNAMIC_DISPATCH(softmax_of)(vocab, logits, scale, p);
}
void take_logs(int count, float* x) {
  HWY_DYNAMIC_DISPATCH(logs_of)(count, x);
}
void add_probabilities(int vocab, const float* logits, float weight, float* sum) {
  HWY_DYNAMIC_DISPATCH(add_softmax)(vocab, logits, weight, sum);
}
void add_log_probabilities(int vocab, const float* logits, float weight, float* sum) {
  HWY_DYNAMIC_DISPATCH(add_log_softmax)(vocab, logits, weight, sum);
}
void scale_rows(int rows, int width, const float* factors, const float* x, OperandArray y) {
  HWY_DYNAMIC_DISPATCH(scale_rows_by)(rows, width, factors, x, y);
}

}  // namespace btm
#endif  // HWY_ONCE
