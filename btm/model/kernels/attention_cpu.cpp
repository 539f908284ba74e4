#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "btm/model/kernels/attention.h"
#include "btm/model/kernels/packed_gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/attention_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector_group-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// step(tag, load, store, i) over [0, count): groups of vectors, then vectors, then one whose lanes beyond `count` are
// loaded as `beyond` and not stored. What a query sees ends anywhere, so that single floats would take up to half of
// the time.
template <class Step>
HWY_INLINE void for_each_masked_group(std::size_t count, float beyond, Step&& step) {
  const std::size_t whole = count / kLanes * kLanes, rest = count - whole;
  for_each_group(whole, [&](auto g, std::size_t i) HWY_ATTR {
    step(
        g, [g](const float* p) HWY_ATTR { return load_operand(g, p); },
        [g](const auto& x, float* p) HWY_ATTR { store_operand(x, g, p); }, i);
  });
  if (rest == 0) return;
  const Lane d;
  using One = Group<Lane, 1>;
  const auto load = [=](const float* p) HWY_ATTR {
    One x;
    x.v[0] = hn::IfThenElse(hn::FirstN(d, rest), load_first(d, p, rest), hn::Set(d, beyond));
    return x;
  };
  step(
      GroupTag<Lane, 1>(), load, [=](const One& x, float* p) HWY_ATTR { store_first(x.v[0], d, p, rest); }, whole);
}

// scores[0, seen) -> exp(scores - offset), [seen, keys) -> 0; returns the sum.
HWY_INLINE float exponentials(float* scores, std::size_t seen, std::size_t keys, float offset) {
  GroupSum total;
  for_each_masked_group(seen, -std::numeric_limits<float>::infinity(),
                        [&](auto g, const auto& load, const auto& store, std::size_t i) HWY_ATTR {
                          // of minus infinity 1.6e-38: nothing beside the largest score's 1
                          const auto e = fast_exp(load(scores + i) - set(g, offset));
                          total.add(e);
                          store(e, scores + i);
                        });
  std::fill(scores + seen, scores + keys, 0.0f);
  return total.sum();
}

// Row r of scores [rows, keys] sees first_seen + r keys; sums[r] is its denominator, log_sums[r] the log of the whole.
void softmax_block(int rows, int keys, int first_seen, float* scores, int stride, float* sums, float* log_sums) {
  for (int r = 0; r < rows; ++r, scores += stride) {
    const std::size_t seen = first_seen + r;
    const float offset = largest(scores, seen);
    sums[r] = exponentials(scores, seen, keys, offset);
    if (log_sums) log_sums[r] = offset + std::log(sums[r]);
  }
}

// y = x [rows, width] / divisors[row] (null: 1)
template <class Number>
void divide_rows_to(int rows, int width, const float* x, const float* divisors, Number* y, int y_stride) {
  for (int r = 0; r < rows; ++r, x += width, y += y_stride) {
    const float factor = divisors ? 1.0f / divisors[r] : 1.0f;
    for_each_vector(width, [=](auto d, std::size_t i)
                               HWY_ATTR { store_operand(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, y + i); });
  }
}

void divide_rows(int rows, int width, const float* x, const float* divisors, MutableHeads y) {
  with_numbers(y.data, [=](auto* numbers) { divide_rows_to(rows, width, x, divisors, numbers, y.stride); });
}

// scores -> probabilities; d_scores: in d(probabilities), out scale x d(scores), the softmax's backward with
// means[r] = sum of d_out x out over the head.
void softmax_backward_block(int rows, int keys, int first_seen, const float* log_sums, const float* means, float scale,
                            float* scores, float* d_scores, int stride) {
  for (int r = 0; r < rows; ++r, scores += stride, d_scores += stride) {
    const std::size_t seen = first_seen + r;
    const float offset = log_sums[r], mean = means[r];
    float *p = scores, *dp = d_scores;
    for_each_masked_group(seen, 0, [=](auto g, const auto& load, const auto& store, std::size_t i) HWY_ATTR {
      const auto e = fast_exp(load(p + i) - set(g, offset));
      store(e, p + i);
      store(e * (load(dp + i) - set(g, mean)) * set(g, scale), dp + i);
    });
    std::fill(p + seen, p + keys, 0.0f);
    std::fill(dp + seen, dp + keys, 0.0f);
  }
}

template <class A, class B>
void dot_rows_of(int rows, int width, const A* a, int a_stride, const B* b, int b_stride, float* dots) {
  const Wide d;
  const Single single;
  const std::size_t lanes = hn::Lanes(d), count = width;
  for (int r = 0; r < rows; ++r, a += a_stride, b += b_stride) {
    auto total = hn::Zero(d);
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) total = hn::MulAdd(load_operand(d, a + i), load_operand(d, b + i), total);
    float sum = hn::GetLane(hn::SumOfLanes(d, total));
    for (; i < count; ++i) {
      sum += hn::GetLane(hn::Mul(load_operand(single, a + i), load_operand(single, b + i)));
    }
    dots[r] = sum;
  }
}

void dot_rows(int rows, int width, Heads a, Heads b, float* dots) {
  with_numbers(a.data, [=](const auto* from_a) {
    with_numbers(b.data,
                 [=](const auto* from_b) { dot_rows_of(rows, width, from_a, a.stride, from_b, b.stride, dots); });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(softmax_block);
HWY_EXPORT(divide_rows);
HWY_EXPORT(softmax_backward_block);
HWY_EXPORT(dot_rows);

namespace {

constexpr int kBlock =
    64;  // queries of a gradient at a time: their scores against up to 1024 keys fit a second-level cache
constexpr int kStep = 32;  // of them, against the same keys: most scores of keys that a query doesn't see are left out

// step(first, count) for so many queries.
template <class Step>
void for_each_step(int queries, const Step& step) {
  for (int first = 0; first < queries; first += kStep) step(first, std::min(kStep, queries - first));
}

float score_scale(const AttentionShape& s) {
  return 1.0f / std::sqrt(static_cast<float>(s.head_dim));
}

int keys_of(const AttentionShape& s) {
  return s.past + s.queries;
}

// Floats from a row of scores to the next: an odd number of cache lines, so that the numbers of a column don't meet in
// few sets of the first-level cache.
int score_stride(const AttentionShape& s) {
  constexpr int kLine = 16;
  return ((keys_of(s) + kLine - 1) / kLine | 1) * kLine;
}

std::size_t block_of_scores(const AttentionShape& s) {
  return std::size_t(kBlock) * static_cast<std::size_t>(score_stride(s));
}

std::size_t block_of_heads(const AttentionShape& s) {
  return std::size_t(kBlock) * s.head_dim;
}

// Keys and values are packed once for all steps of queries, if there are several, each of which sees the first of them.
bool packs_keys(const AttentionShape& s) {
  return s.queries > kStep;
}

// Keys or values of a head, [keys, head_dim] or transposed, as an operand of the products with blocks of queries.
class KeyOperand {
 public:
  static std::size_t floats(const AttentionShape& s, Op op) {
    if (!packs_keys(s)) return 0;
    const auto [k, n] = sides(s, op);
    return packed_floats(k, n, s.operands);
  }

  // Packs into `workspace` [floats()], if at all, and moves it behind that.
  KeyOperand(const AttentionShape& s, MatrixView b, float*& workspace) : operands_(s.operands), plain_(b) {
    if (!packs_keys(s)) return;
    const auto [k, n] = sides(s, b.op);
    pack(k, n, b, workspace, operands_);
    packed_ = {workspace, k, n};
    workspace += floats(s, b.op);
  }

  // c [m, n] = alpha x a [m, k] op(b) with as many of its rows and columns
  void multiply(int m, int n, int k, float alpha, MatrixView a, float* c, int c_stride) const {
    if (packed_.data) return gemm_packed(m, n, k, alpha, a, packed_, c, c_stride, operands_);
    gemm(m, n, k, alpha, a, plain_, false, c, c_stride, operands_);
  }

 private:
  static std::pair<int, int> sides(const AttentionShape& s, Op op) {
    return op == Op::none ? std::pair(keys_of(s), s.head_dim) : std::pair(s.head_dim, keys_of(s));
  }

  Operands operands_;
  MatrixView plain_;
  PackedView packed_{};
};

struct ForwardKeys {
  KeyOperand k_turned, v;
};

Heads from(Heads x, int row, int column) {
  return {x.data.from(std::size_t(row) * x.stride + column), x.stride};
}
MutableHeads from(MutableHeads x, int row, int column) {
  return {x.data.from(std::size_t(row) * x.stride + column), x.stride};
}
MatrixView view(Heads x) {
  return {x.data, x.stride};
}

// A piece of the workspace.
float* take(float*& workspace, std::size_t count) {
  float* piece = workspace;
  workspace += count;
  return piece;
}

void forward_head(const AttentionShape& s, Heads q, const ForwardKeys& keys_and_values, MutableHeads out,
                  float* log_sums, float* workspace) {
  float *sums = take(workspace, kBlock), *sum_of_values = take(workspace, block_of_heads(s)), *scores = workspace;
  const int stride = score_stride(s);
  for_each_step(s.queries, [&](int begin, int rows) {
    const int keys = s.past + begin + rows;
    keys_and_values.k_turned.multiply(rows, keys, s.head_dim, score_scale(s), view(from(q, begin, 0)), scores, stride);
    HWY_DYNAMIC_DISPATCH(softmax_block)
    (rows, keys, s.past + begin + 1, scores, stride, sums, log_sums ? log_sums + begin : nullptr);
    keys_and_values.v.multiply(rows, s.head_dim, keys, 1, {scores, stride}, sum_of_values, s.head_dim);
    HWY_DYNAMIC_DISPATCH(divide_rows)(rows, s.head_dim, sum_of_values, sums, from(out, begin, 0));
  });
}

struct BackwardKeys {
  KeyOperand k, k_turned, v_turned;
};

// Adds to d_k and d_v [queries, head_dim]; writes d_q.
void backward_head(const AttentionShape& s, Heads q, const BackwardKeys& keys_and_values, Heads out,
                   const float* log_sums, Heads d_out, MutableHeads d_q, float* d_k, float* d_v, float* workspace) {
  float *means = take(workspace, kBlock), *d_q_block = take(workspace, block_of_heads(s));
  float *scores = take(workspace, block_of_scores(s)), *d_scores = workspace;
  const int width = s.head_dim, stride = score_stride(s);
  for (int begin = 0; begin < s.queries; begin += kBlock) {
    const int rows = std::min(kBlock, s.queries - begin);
    HWY_DYNAMIC_DISPATCH(dot_rows)(rows, width, from(out, begin, 0), from(d_out, begin, 0), means);
    for_each_step(rows, [&](int first, int count) {
      const int at = begin + first, keys = at + count;
      float *p = scores + std::size_t(first) * stride, *d_p = d_scores + std::size_t(first) * stride;
      keys_and_values.k_turned.multiply(count, keys, width, score_scale(s), view(from(q, at, 0)), p, stride);
      keys_and_values.v_turned.multiply(count, keys, width, 1, view(from(d_out, at, 0)), d_p, stride);
      HWY_DYNAMIC_DISPATCH(softmax_backward_block)
      (count, keys, at + 1, log_sums + at, means + first, score_scale(s), p, d_p, stride);
      keys_and_values.k.multiply(count, width, keys, 1, {d_p, stride}, d_q_block + std::size_t(first) * width, width);
    });
    HWY_DYNAMIC_DISPATCH(divide_rows)(rows, width, d_q_block, nullptr, from(d_q, begin, 0));
    // These keys, and with the first those before the block, are seen by the queries from here on.
    for_each_step(rows, [&](int first, int count) {
      const int at = begin + first, key = first == 0 ? 0 : at, keys = at + count - key;
      const std::size_t score = std::size_t(first) * stride + key, sum = std::size_t(key) * width;
      gemm(keys, width, rows - first, 1, transposed(scores + score, stride), view(from(d_out, at, 0)), true, d_v + sum,
           width, s.operands);
      gemm(keys, width, rows - first, 1, transposed(d_scores + score, stride), view(from(q, at, 0)), true, d_k + sum,
           width, s.operands);
    });
  }
}

}  // namespace

std::size_t attention_workspace(const AttentionShape& s) {
  return kBlock + block_of_heads(s) + 2 * block_of_scores(s) + 2 * std::size_t(s.queries) * s.head_dim +
         KeyOperand::floats(s, Op::none) + 2 * KeyOperand::floats(s, Op::transposed);
}

void attention_forward(const AttentionShape& s, Heads q, Heads k, Heads v, MutableHeads out, float* log_sums,
                       float* workspace) {
  const int group = s.heads / s.kv_heads;
  for (int kv_head = 0; kv_head < s.kv_heads; ++kv_head) {
    const int kv_at = kv_head * s.head_dim;
    float* rest = workspace;
    const ForwardKeys keys{{s, transpose(view(from(k, 0, kv_at))), rest}, {s, view(from(v, 0, kv_at)), rest}};
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const int at = head * s.head_dim;
      forward_head(s, from(q, 0, at), keys, from(out, 0, at),
                   log_sums ? log_sums + std::size_t(head) * s.queries : nullptr, rest);
    }
  }
}

void attention_backward(const AttentionShape& s, Heads q, Heads k, Heads v, Heads out, const float* log_sums,
                        Heads d_out, MutableHeads d_q, MutableHeads d_k, MutableHeads d_v, float* workspace) {
  const int group = s.heads / s.kv_heads;
  const std::size_t size = std::size_t(s.queries) * s.head_dim;
  for (int kv_head = 0; kv_head < s.kv_heads; ++kv_head) {
    const int kv_at = kv_head * s.head_dim;
    const MatrixView k_view = view(from(k, 0, kv_at)), v_view = view(from(v, 0, kv_at));
    float* rest = workspace;
    const BackwardKeys keys{{s, k_view, rest}, {s, transpose(k_view), rest}, {s, transpose(v_view), rest}};
    float *sum_of_k = take(rest, size), *sum_of_v = take(rest, size);
    std::fill_n(sum_of_k, 2 * size, 0.0f);
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const int at = head * s.head_dim;
      backward_head(s, from(q, 0, at), keys, from(out, 0, at), log_sums + std::size_t(head) * s.queries,
                    from(d_out, 0, at), from(d_q, 0, at), sum_of_k, sum_of_v, rest);
    }
    HWY_DYNAMIC_DISPATCH(divide_rows)(s.queries, s.head_dim, sum_of_k, nullptr, from(d_k, 0, kv_at));
    HWY_DYNAMIC_DISPATCH(divide_rows)(s.queries, s.head_dim, sum_of_v, nullptr, from(d_v, 0, kv_at));
  }
}

}  // namespace btm
#endif  // HWY_ONCE
