// Attention against loops in double precision that follow the formula word by word.
#include "btm/model/kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "btm/core/buffer.h"
#include "tests/model/kernel_values.h"

namespace btm {
namespace {

using test::Doubles;
using test::expect_near;
using test::Floats;
using test::numeric_gradient;
using test::random_floats;
using test::Stored;

// Of outputs and gradients about 1: float32 sums, and operands of 8 significant bits.
constexpr struct {
  Operands operands, format;
  double error;
} kAttentionErrors[] = {{Operands::fp32, Operands::fp32, 1e-5},
                        {Operands::bf16, Operands::fp32, 0.03},
                        {Operands::bf16, Operands::bf16, 0.03}};

struct AttentionCase {
  AttentionShape s;

  // x: q [queries, heads, d], k and v [keys, kv_heads, d] one after the other
  Doubles operator()(const Doubles& x) const {
    const int keys = s.past + s.queries, kv = s.kv_heads * s.head_dim, width = s.heads * s.head_dim;
    const double *q = x.data(), *k = q + s.queries * width, *v = k + keys * kv;
    Doubles out(s.queries * width);
    for (int h = 0; h < s.heads; ++h) {
      const int at = h * s.head_dim, kv_at = h / (s.heads / s.kv_heads) * s.head_dim;
      for (int r = 0; r < s.queries; ++r) {
        Doubles p(s.past + r + 1);
        double sum = 0;
        for (std::size_t j = 0; j < p.size(); ++j) {
          for (int i = 0; i < s.head_dim; ++i) p[j] += q[r * width + at + i] * k[j * kv + kv_at + i];
          sum += p[j] = std::exp(p[j] / std::sqrt(s.head_dim));
        }
        for (std::size_t j = 0; j < p.size(); ++j) {
          for (int i = 0; i < s.head_dim; ++i) out[r * width + at + i] += p[j] / sum * v[j * kv + kv_at + i];
        }
      }
    }
    return out;
  }
};

TEST(Attention, MatchesTheFormula) {
  for (AttentionShape s : {AttentionShape{150, 0, 2, 2, 8}, AttentionShape{5, 0, 6, 2, 13},
                           AttentionShape{1, 70, 4, 1, 32}, AttentionShape{70, 9, 2, 1, 20}}) {
    const int keys = s.past + s.queries, kv = s.kv_heads * s.head_dim, width = s.heads * s.head_dim;
    const int k_at = s.queries * width, v_at = k_at + keys * kv;
    const Floats numbers = random_floats(v_at + keys * kv, 1, 1);
    for (const auto& [operands, format, error] : kAttentionErrors) {
      s.operands = operands;
      Stored x(format, numbers), out(format, Floats(s.queries * width));
      Buffer workspace(attention_workspace(s));
      attention_forward(s, {x.array(), width}, {x.array().from(k_at), kv}, {x.array().from(v_at), kv},
                        {out.array(), width}, nullptr, workspace.data());
      expect_near(out.values(), AttentionCase{s}(test::to_doubles(numbers)), error, "attention");
    }
  }
}

TEST(Attention, HasTheFormulasGradient) {
  for (AttentionShape s :
       {AttentionShape{67, 0, 1, 1, 4}, AttentionShape{9, 0, 4, 2, 5}, AttentionShape{101, 0, 2, 1, 3}}) {
    const int kv = s.kv_heads * s.head_dim, width = s.heads * s.head_dim;
    const int q_size = s.queries * width, kv_size = s.queries * kv;
    const int k_at = q_size, v_at = q_size + kv_size;
    const Floats numbers = random_floats(q_size + 2 * kv_size, 1, 1), d_out = random_floats(q_size, 1, 2);
    const auto expected = numeric_gradient(AttentionCase{s}, numbers, d_out);
    for (const auto& [operands, format, error] : kAttentionErrors) {
      s.operands = operands;
      Stored x(format, numbers), out(format, Floats(q_size)), d(format, Floats(numbers.size(), 9.0f));
      Floats log_sums(s.heads * s.queries);
      Buffer workspace(attention_workspace(s));
      const Heads q{x.array(), width}, k{x.array().from(k_at), kv}, v{x.array().from(v_at), kv};
      attention_forward(s, q, k, v, {out.array(), width}, log_sums.data(), workspace.data());
      attention_backward(s, q, k, v, {out.array(), width}, log_sums.data(), {d_out.data(), width}, {d.array(), width},
                         {d.array().from(k_at), kv}, {d.array().from(v_at), kv}, workspace.data());
      expect_near(d.values(), expected, error, "d");
    }
  }
}

}  // namespace
}  // namespace btm
