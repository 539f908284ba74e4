#include <algorithm>
#include <cmath>
#include <utility>

#include "btm/model/kernels/attention.h"
#include "btm/model/kernels/packed_gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/attention_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep

#include "btm/model/kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

// scores[0, seen) -> exp(scores - offset), [seen, keys) -> 0; returns the sum.
HWY_INLINE float exponentials(float* scores, std::size_t seen, std::size_t keys, float offset) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  auto total = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= seen; i += lanes) {
    const auto e = fast_exp(d, hn::Sub(hn::LoadU(d, scores + i), hn::Set(d, offset)));
    total = hn::Add(total, e);
    hn::StoreU(e, d, scores + i);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, total));
  const Single single;
  for (; i < seen; ++i) {
    const auto e = fast_exp(single, hn::Sub(hn::LoadU(single, scores + i), hn::Set(single, offset)));
    sum += hn::GetLane(e);
    scores[i] = hn::GetLane(e);
  }
  for (; i < keys; ++i) scores[i] = 0;
  return sum;
}

HWY_INLINE float largest_of(const float* x, std::size_t count) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  auto most = hn::Set(d, x[0]);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) most = hn::Max(most, hn::LoadU(d, x + i));
  float result = hn::GetLane(hn::MaxOfLanes(d, most));
  for (; i < count; ++i) result = std::max(result, x[i]);
  return result;
}

// Row r of scores [rows, keys] sees first_seen + r keys; sums[r] is its denominator, log_sums[r] the log of the whole.
void softmax_block(int rows, int keys, int first_seen, float* scores, float* sums, float* log_sums) {
  for (int r = 0; r < rows; ++r, scores += keys) {
    const std::size_t seen = first_seen + r;
    const float offset = largest_of(scores, seen);
    sums[r] = exponentials(scores, seen, keys, offset);
    if (log_sums) log_sums[r] = offset + std::log(sums[r]);
  }
}

void divide_rows(int rows, int width, const float* sums, float* x, int stride) {
  for (int r = 0; r < rows; ++r, x += stride) {
    const float factor = 1.0f / sums[r];
    float* row = x;
    for_each_vector(width, [=](auto d, std::size_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, factor)), d, row + i);
    });
  }
}

// scores -> probabilities; d_scores: in d(probabilities), out scale x d(scores), the softmax's backward with
// means[r] = sum of d_out x out over the head.
void softmax_backward_block(int rows, int keys, int first_seen, const float* log_sums, const float* means, float scale,
                            float* scores, float* d_scores) {
  for (int r = 0; r < rows; ++r, scores += keys, d_scores += keys) {
    const std::size_t seen = first_seen + r;
    const float offset = log_sums[r], mean = means[r];
    float *p = scores, *dp = d_scores;
    for_each_vector(seen, [=](auto d, std::size_t i) HWY_ATTR {
      const auto e = fast_exp(d, hn::Sub(hn::LoadU(d, p + i), hn::Set(d, offset)));
      hn::StoreU(e, d, p + i);
      const auto difference = hn::Sub(hn::LoadU(d, dp + i), hn::Set(d, mean));
      hn::StoreU(hn::Mul(hn::Mul(e, difference), hn::Set(d, scale)), d, dp + i);
    });
    std::fill(p + seen, p + keys, 0.0f);
    std::fill(dp + seen, dp + keys, 0.0f);
  }
}

void dot_rows(int rows, int width, const float* a, int a_stride, const float* b, int b_stride, float* dots) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d), count = width;
  for (int r = 0; r < rows; ++r, a += a_stride, b += b_stride) {
    auto total = hn::Zero(d);
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) total = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), total);
    float sum = hn::GetLane(hn::SumOfLanes(d, total));
    for (; i < count; ++i) sum += a[i] * b[i];
    dots[r] = sum;
  }
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

constexpr int kBlock = 64;  // queries at a time: their scores against up to 1024 keys fit a second-level cache

float score_scale(const AttentionShape& s) {
  return 1.0f / std::sqrt(static_cast<float>(s.head_dim));
}

int keys_of(const AttentionShape& s) {
  return s.past + s.queries;
}

// Keys and values are packed once for all blocks of queries, if there are several, each of which sees the first of
// them.
bool packs_keys(const AttentionShape& s) {
  return s.queries > kBlock && packs(s.operands);
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
    gemm(m, n, k, alpha, a, plain_, 0, c, c_stride, operands_);
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

void forward_head(const AttentionShape& s, Heads q, const ForwardKeys& keys_and_values, MutableHeads out,
                  float* log_sums, float* workspace) {
  float *sums = workspace, *scores = workspace + kBlock;
  for (int begin = 0; begin < s.queries; begin += kBlock) {
    const int rows = std::min(kBlock, s.queries - begin), keys = s.past + begin + rows;
    const float* q_block = q.data + std::size_t(begin) * q.stride;
    float* out_block = out.data + std::size_t(begin) * out.stride;
    keys_and_values.k_turned.multiply(rows, keys, s.head_dim, score_scale(s), {q_block, q.stride}, scores, keys);
    HWY_DYNAMIC_DISPATCH(softmax_block)
    (rows, keys, s.past + begin + 1, scores, sums, log_sums ? log_sums + begin : nullptr);
    keys_and_values.v.multiply(rows, s.head_dim, keys, 1, {scores, keys}, out_block, out.stride);
    HWY_DYNAMIC_DISPATCH(divide_rows)(rows, s.head_dim, sums, out_block, out.stride);
  }
}

struct BackwardKeys {
  KeyOperand k, k_turned, v_turned;
};

struct HeadGradients {
  MutableHeads q, k, v;
};

// Adds to the gradients of k and v; writes that of q.
void backward_head(const AttentionShape& s, Heads q, const BackwardKeys& keys_and_values, Heads out,
                   const float* log_sums, Heads d_out, HeadGradients d, float* workspace) {
  float *means = workspace, *scores = workspace + kBlock, *d_scores = scores + std::size_t(kBlock) * s.queries;
  const int width = s.head_dim;
  for (int begin = 0; begin < s.queries; begin += kBlock) {
    const int rows = std::min(kBlock, s.queries - begin), keys = begin + rows;
    auto at = [begin](auto heads) { return heads.data + std::size_t(begin) * heads.stride; };
    HWY_DYNAMIC_DISPATCH(dot_rows)(rows, width, at(out), out.stride, at(d_out), d_out.stride, means);
    keys_and_values.k_turned.multiply(rows, keys, width, score_scale(s), {at(q), q.stride}, scores, keys);
    keys_and_values.v_turned.multiply(rows, keys, width, 1, {at(d_out), d_out.stride}, d_scores, keys);
    HWY_DYNAMIC_DISPATCH(softmax_backward_block)
    (rows, keys, begin + 1, log_sums + begin, means, score_scale(s), scores, d_scores);
    gemm(keys, width, rows, 1, transposed(scores, keys), {at(d_out), d_out.stride}, 1, d.v.data, d.v.stride,
         s.operands);
    gemm(keys, width, rows, 1, transposed(d_scores, keys), {at(q), q.stride}, 1, d.k.data, d.k.stride, s.operands);
    keys_and_values.k.multiply(rows, width, keys, 1, {d_scores, keys}, at(d.q), d.q.stride);
  }
}

void zero_rows(int rows, int width, MutableHeads x) {
  for (int r = 0; r < rows; ++r) std::fill_n(x.data + std::size_t(r) * x.stride, width, 0.0f);
}

}  // namespace

std::size_t attention_workspace(const AttentionShape& s) {
  return kBlock + 2 * std::size_t(kBlock) * static_cast<std::size_t>(keys_of(s)) + KeyOperand::floats(s, Op::none) +
         2 * KeyOperand::floats(s, Op::transposed);
}

void attention_forward(const AttentionShape& s, Heads q, Heads k, Heads v, MutableHeads out, float* log_sums,
                       float* workspace) {
  const int group = s.heads / s.kv_heads;
  for (int kv_head = 0; kv_head < s.kv_heads; ++kv_head) {
    const int kv_at = kv_head * s.head_dim;
    float* rest = workspace;
    const ForwardKeys keys{{s, transposed(k.data + kv_at, k.stride), rest}, {s, {v.data + kv_at, v.stride}, rest}};
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const int at = head * s.head_dim;
      forward_head(s, {q.data + at, q.stride}, keys, {out.data + at, out.stride},
                   log_sums ? log_sums + std::size_t(head) * s.queries : nullptr, rest);
    }
  }
}

void attention_backward(const AttentionShape& s, Heads q, Heads k, Heads v, Heads out, const float* log_sums,
                        Heads d_out, MutableHeads d_q, MutableHeads d_k, MutableHeads d_v, float* workspace) {
  zero_rows(s.queries, s.kv_heads * s.head_dim, d_k);
  zero_rows(s.queries, s.kv_heads * s.head_dim, d_v);
  const int group = s.heads / s.kv_heads;
  for (int kv_head = 0; kv_head < s.kv_heads; ++kv_head) {
    const int kv_at = kv_head * s.head_dim;
    const MatrixView k_view{k.data + kv_at, k.stride};
    float* rest = workspace;
    const BackwardKeys keys{
        {s, k_view, rest}, {s, turned(k_view), rest}, {s, transposed(v.data + kv_at, v.stride), rest}};
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const int at = head * s.head_dim;
      backward_head(s, {q.data + at, q.stride}, keys, {out.data + at, out.stride},
                    log_sums + std::size_t(head) * s.queries, {d_out.data + at, d_out.stride},
                    {{d_q.data + at, d_q.stride}, {d_k.data + kv_at, d_k.stride}, {d_v.data + kv_at, d_v.stride}},
                    rest);
    }
  }
}

}  // namespace btm
#endif  // HWY_ONCE
