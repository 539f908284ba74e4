// The GPU's kernels against those of the CPU, which are tested against the formulas. Each comparison allows for the
// rounding of what is bf16 on the GPU, and for no more.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "btm/model/cuda/activation.h"
#include "btm/model/cuda/columns.h"
#include "btm/model/cuda/embedding.h"
#include "btm/model/cuda/heads.h"
#include "btm/model/cuda/loss.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/norm.h"
#include "btm/model/cuda/rope.h"
#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/embedding.h"
#include "btm/model/kernels/loss.h"
#include "btm/model/kernels/norm.h"
#include "btm/model/kernels/rope.h"
#include "btm/train/adamw_cuda.h"
#include "tests/cuda/on_device.h"
#include "tests/model/kernel_values.h"

namespace btm {
namespace {

using test::as_bf16;
using test::as_floats;
using test::cut;
using test::Doubles;
using test::Floats;
using test::kStream;
using test::OnDevice;
using test::random_floats;

constexpr double kBf16 = 1.0 / 128;  // between two numbers of 8 significant bits, as a share of them
constexpr double kFp32 = 2e-5;

void expect_like(const Floats& found, const Floats& expected, double tolerance, const char* what) {
  test::expect_near(found, Doubles(expected.begin(), expected.end()), tolerance, what);
}

struct Extent {
  int rows, width;
};
// One row; rows that don't fill a block; widths of several rounds of a block, whole ones and not.
const Extent kExtents[] = {{1, 8}, {5, 40}, {300, 64}, {9, 1160}, {4, 2056}, {2, 5000}};

TEST(CudaNorm, IsTheCpus) {
  for (const auto [rows, width] : kExtents) {
    for (const bool centred : {true, false}) {
      for (const bool with_delta : {true, false}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << width << (centred ? " LayerNorm" : " RMSNorm"));
        const NormShape shape{centred, width, 1e-5f};
        const std::size_t count = std::size_t(rows) * width;
        const Floats input = random_floats(count, 1, 1), delta = cut(random_floats(count, 1, 2));
        const Floats gain = random_floats(width, 1, 3), shift = random_floats(width, 1, 4);
        const Floats d_normed = cut(random_floats(count, 1, 5)), d_before = random_floats(count, 1, 6);
        Floats sum(count), normed(count), statistics(2 * rows);
        norm_forward(shape, rows, input.data(), with_delta ? delta.data() : nullptr, nullptr, gain.data(),
                     centred ? shift.data() : nullptr, sum.data(), normed.data(), statistics.data());
        Floats d_sum = d_before, d_gain(width, 1), d_shift(width, 2), d_bias(width, 3);
        norm_backward(shape, rows, sum.data(), gain.data(), statistics.data(), d_normed.data(), d_sum.data(), nullptr,
                      d_gain.data(), centred ? d_shift.data() : nullptr, d_bias.data());

        const OnDevice<float> g_input(input), g_gain(gain), g_shift(shift), g_sum(count), g_statistics(2 * rows);
        const OnDevice<bf16> g_delta(as_bf16(delta)), g_normed(count), g_d_normed(as_bf16(d_normed)), g_rounded(count);
        const OnDevice<float> g_d_sum(d_before), g_partial(cuda::column_partial_floats(width, cuda::kPartKinds));
        const OnDevice<float> g_d_gain(Floats(width, 1)), g_d_shift(Floats(width, 2)), g_d_bias(Floats(width, 3));
        cuda::norm_forward(kStream, shape, rows, g_input.data(), with_delta ? g_delta.data() : nullptr, g_gain.data(),
                           centred ? g_shift.data() : nullptr, g_sum.data(), g_normed.data(), g_statistics.data());
        expect_like(g_sum.read(), sum, kFp32, "sum");
        expect_like(as_floats(g_normed.read()), normed, kBf16, "normed");
        expect_like(g_statistics.read(), statistics, kFp32, "statistics");
        cuda::norm_backward(kStream, shape, rows, g_sum.data(), g_gain.data(), g_statistics.data(), g_d_normed.data(),
                            g_d_sum.data(), g_rounded.data(), g_d_gain.data(), centred ? g_d_shift.data() : nullptr,
                            g_d_bias.data(), g_partial.data());
        expect_like(g_d_sum.read(), d_sum, kFp32, "d_sum");
        expect_like(as_floats(g_rounded.read()), d_sum, kBf16, "rounded");
        expect_like(g_d_gain.read(), d_gain, 10 * kFp32, "d_gain");
        expect_like(g_d_shift.read(), d_shift, 10 * kFp32, "d_shift");
        expect_like(g_d_bias.read(), d_bias, 10 * kFp32, "d_bias");
      }
    }
  }
}

TEST(CudaActivation, IsTheCpus) {
  for (const auto [rows, width] : kExtents) {
    SCOPED_TRACE(testing::Message() << rows << " x " << width);
    const std::size_t count = std::size_t(rows) * width;
    const Floats x = cut(random_floats(2 * count, 2, 1)), d = cut(random_floats(count, 1, 2));
    const Floats before(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(count));
    const OnDevice<float> partial(cuda::column_partial_floats(width));

    Floats gelu_before = before, after(count), d_before(count), d_bias(width, 1);
    gelu_forward(rows, width, before.data(), Floats(width).data(), gelu_before.data(), after.data());
    gelu_backward(rows, width, before.data(), d.data(), d_before.data(), d_bias.data(), after.data());
    const OnDevice<bf16> g_before(as_bf16(before)), g_after(count), g_d(as_bf16(d));
    const OnDevice<float> g_d_bias(Floats(width, 1));
    cuda::gelu_forward(kStream, rows, width, g_before.data(), g_after.data());
    expect_like(as_floats(g_after.read()), after, kBf16, "gelu");
    cuda::gelu_backward(kStream, rows, width, g_before.data(), g_d.data(), g_d_bias.data(), partial.data());
    expect_like(as_floats(g_d.read()), d_before, kBf16, "d gelu");
    expect_like(g_d_bias.read(), d_bias, 1e-4, "d bias through gelu");

    Floats gate_up(2 * count), gated(count), d_gate_up(2 * count);
    swiglu_forward(rows, width, x.data(), gate_up.data(), gated.data());
    swiglu_backward(rows, width, x.data(), d.data(), d_gate_up.data(), gated.data());
    const OnDevice<bf16> g_x(as_bf16(x)), g_gated(count);
    cuda::swiglu_forward(kStream, rows, width, g_x.data(), g_gated.data());
    expect_like(as_floats(g_gated.read()), gated, kBf16, "swiglu");
    cuda::swiglu_backward(kStream, rows, width, g_x.data(), OnDevice<bf16>(as_bf16(d)).data(), g_x.data());
    expect_like(as_floats(g_x.read()), d_gate_up, kBf16, "d swiglu");
  }
}

TEST(CudaRope, IsTheCpus) {
  const int sequences = 2, length = 5, heads = 3, head_dim = 16, stride = heads * head_dim + 8,
            rows = sequences * length;
  const Buffer table = rope_table(length, head_dim, 10000);
  std::vector<int> positions(rows);
  for (int row = 0; row < rows; ++row) positions[row] = row % length;
  const Floats x = cut(random_floats(std::size_t(rows) * stride, 1, 1));
  Floats expected = x;
  rope(table, Turn::forward, rows, positions.data(), heads, head_dim, expected.data(), stride);
  const OnDevice<float> g_table(Floats(table.span().begin(), table.span().end()));
  const OnDevice<bf16> g_x(as_bf16(x));
  cuda::rope(kStream, g_table.data(), rows, length, heads, head_dim, g_x.data(), stride);
  expect_like(as_floats(g_x.read()), expected, kBf16, "turned");
}

// Heads of queries, keys and values as attention leaves their gradients, and as rows of all three.
struct Apart {
  Apart(const AttentionShape& shape, int rows)
      : q(cut(random_floats(std::size_t(rows) * shape.heads * shape.head_dim, 1, 1))),
        k(cut(random_floats(std::size_t(rows) * shape.kv_heads * shape.head_dim, 1, 2))),
        v(cut(random_floats(k.size(), 1, 3))) {
    for (int row = 0; row < rows; ++row) {
      for (const Floats* part : {&q, &k, &v}) {
        const auto width = static_cast<std::ptrdiff_t>(part->size()) / rows;
        joined.insert(joined.end(), part->begin() + row * width, part->begin() + (row + 1) * width);
      }
    }
  }
  Floats q, k, v, joined;
};

cuda::HeadGradients strided(const AttentionShape& s, const bf16* q, const bf16* k, const bf16* v) {
  return {q, k, v, s.heads * s.head_dim, s.kv_heads * s.head_dim};
}

TEST(CudaHeads, AreJoinedAndSummed) {
  for (const AttentionShape& shape : {AttentionShape{5, 0, 3, 3, 8}, AttentionShape{300, 0, 4, 2, 40}}) {
    const int rows = 2 * shape.queries, width = (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
    const Apart apart(shape, rows);
    Floats sums(width, 1);
    bias_backward(rows, width, apart.joined.data(), sums.data());
    const OnDevice<bf16> q(as_bf16(apart.q)), k(as_bf16(apart.k)), v(as_bf16(apart.v)), joined(apart.joined.size());
    const OnDevice<float> g_sums(Floats(width, 1)), partial(cuda::column_partial_floats(width));
    cuda::join_heads(kStream, shape, rows, strided(shape, q.data(), k.data(), v.data()), joined.data(), g_sums.data(),
                     partial.data());
    EXPECT_EQ(as_floats(joined.read()), apart.joined);
    expect_like(g_sums.read(), sums, 1e-4, "d bias");
    const OnDevice<float> again(Floats(width, 1));
    cuda::join_heads(kStream, shape, rows, cuda::heads_within(shape, joined.data()), joined.data(), again.data(),
                     partial.data());
    EXPECT_EQ(as_floats(joined.read()), apart.joined);
    EXPECT_EQ(again.read(), g_sums.read());
  }
}

TEST(CudaHeads, AreTurnedBackAsOnTheCpu) {
  for (const AttentionShape& shape : {AttentionShape{5, 0, 3, 3, 8}, AttentionShape{7, 0, 4, 2, 40}}) {
    const int rows = 2 * shape.queries, stride = (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
    const Apart apart(shape, rows);
    const Buffer table = rope_table(shape.queries, shape.head_dim, 10000);
    std::vector<int> positions(rows);
    for (int row = 0; row < rows; ++row) positions[row] = row % shape.queries;
    Floats expected = apart.joined;
    rope(table, Turn::backward, rows, positions.data(), shape.heads + shape.kv_heads, shape.head_dim, expected.data(),
         stride);
    const OnDevice<float> g_table(Floats(table.span().begin(), table.span().end()));
    const OnDevice<bf16> q(as_bf16(apart.q)), k(as_bf16(apart.k)), v(as_bf16(apart.v)), joined(apart.joined.size());
    cuda::join_turned_heads(kStream, shape, rows, g_table.data(), strided(shape, q.data(), k.data(), v.data()),
                            joined.data());
    expect_like(as_floats(joined.read()), expected, kBf16, "turned back");
    const OnDevice<bf16> turned(as_bf16(apart.joined));
    cuda::join_turned_heads(kStream, shape, rows, g_table.data(), cuda::heads_within(shape, turned.data()),
                            turned.data());
    EXPECT_EQ(as_floats(turned.read()), as_floats(joined.read()));
  }
}

// Rows as the GPU has them; what is between them is NaN.
Floats pad(const Floats& rows, int width, int stride) {
  Floats result;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    result.push_back(rows[i]);
    if ((i + 1) % static_cast<std::size_t>(width) == 0)
      result.insert(result.end(), static_cast<std::size_t>(stride - width), NAN);
  }
  return result;
}
Floats unpad(const Floats& padded, int width, int stride) {
  Floats result;
  for (std::size_t i = 0; i < padded.size(); ++i) {
    if (i % static_cast<std::size_t>(stride) < static_cast<std::size_t>(width)) result.push_back(padded[i]);
  }
  return result;
}

TEST(CudaLoss, IsTheCpus) {
  for (const int vocab : {3, 8, 261, 8192}) {
    SCOPED_TRACE(vocab);
    const int rows = 4, stride = cuda::padded(vocab);
    const float scale = 0.25f;
    const Floats logits = cut(random_floats(std::size_t(rows) * vocab, 3, 1));
    const std::vector<TokenId> targets = {0, kNoToken, vocab - 1, vocab / 2};
    Floats gradient = logits, log_probs(rows), factors(rows);
    cross_entropy(rows, vocab, gradient.data(), targets.data(), scale, Operands::fp32, log_probs.data(),
                  factors.data());
    scale_rows(rows, vocab, factors.data(), gradient.data(), gradient.data());
    const OnDevice<bf16> g_logits(as_bf16(pad(logits, vocab, stride)));
    const OnDevice<TokenId> g_targets(targets);
    const OnDevice<float> g_log_probs(rows), g_scored(rows);
    cuda::log_probabilities(kStream, rows, vocab, g_logits.data(), g_targets.data(), g_scored.data());
    EXPECT_EQ(unpad(as_floats(g_logits.read()), vocab, stride), logits);
    cuda::cross_entropy(kStream, rows, vocab, g_logits.data(), g_targets.data(), scale, g_log_probs.data());
    expect_like(g_log_probs.read(), log_probs, kFp32, "log p");
    EXPECT_EQ(g_scored.read(), g_log_probs.read());
    expect_like(unpad(as_floats(g_logits.read()), vocab, stride), gradient, scale * kBf16, "gradient");
    const OnDevice<double> g_sum(std::vector<double>{1});
    cuda::subtract_sum(kStream, rows, g_log_probs.data(), g_sum.data());
    EXPECT_NEAR(g_sum.read()[0], 1 - std::accumulate(log_probs.begin(), log_probs.end(), 0.0), 1e-4);
  }
}

TEST(CudaEmbedding, IsTheCpus) {
  const int sequences = 3, length = 7, width = 24, vocab = 11, rows = sequences * length;
  std::vector<TokenId> tokens(rows);
  std::vector<int> positions(rows), order(rows), starts(rows + 1), scratch(vocab);
  Random random(1);
  for (int row = 0; row < rows; ++row) {
    tokens[row] = static_cast<TokenId>(random.below(vocab));
    positions[row] = row % length;
  }
  const Floats table = random_floats(vocab * width, 1, 1), places = random_floats(length * width, 1, 2);
  const Floats d_out = random_floats(rows * width, 1, 3);
  Floats out(rows * width), d_table(vocab * width, 1), d_places(length * width, 1);
  embedding_forward(rows, width, tokens.data(), positions.data(), table.data(), places.data(), out.data());
  embedding_backward(rows, width, 0, width, tokens.data(), positions.data(), d_out.data(), d_table.data(),
                     d_places.data());

  cuda::sort_by_token(rows, tokens.data(), order.data(), starts.data(), scratch.data());
  EXPECT_TRUE(std::ranges::all_of(scratch, [](int x) { return x == 0; }));
  const OnDevice<TokenId> g_tokens(tokens);
  const OnDevice<int> g_order(order), g_starts(starts);
  const OnDevice<float> g_table(table), g_places(places), g_out(rows * width), g_d_out(d_out);
  const OnDevice<float> g_d_table(Floats(vocab * width, 1)), g_d_places(Floats(length * width, 1));
  cuda::embedding_forward(kStream, rows, length, width, g_tokens.data(), g_table.data(), g_places.data(), g_out.data());
  EXPECT_EQ(g_out.read(), out);
  cuda::embedding_backward(kStream, rows, length, width, g_tokens.data(), {g_order.data(), g_starts.data()},
                           g_d_out.data(), g_d_table.data(), g_d_places.data());
  expect_like(g_d_table.read(), d_table, kFp32, "d table");
  expect_like(g_d_places.read(), d_places, kFp32, "d positions");
}

TEST(CudaAdamw, IsTheCpus) {
  const std::size_t size = 3 * cuda::kAdamwBlock + 44;
  const std::vector<AdamwBlock> blocks = {{0, cuda::kAdamwBlock, true},
                                          {cuda::kAdamwBlock, 8, false},
                                          {cuda::kAdamwBlock + 8, cuda::kAdamwBlock, true},
                                          {2 * cuda::kAdamwBlock + 8, cuda::kAdamwBlock + 36, false}};
  AdamwScalars s{0.5f, 0.99f, 0.1f, 0.95f, 0.05f, 1e-2f, 1.2f, 1e-8f};
  Floats p = random_floats(size, 1, 1), m = random_floats(size, 0.1, 2), v(size, 0.01f), g = random_floats(size, 1, 3);
  double norm = 0;
  for (float x : g) norm += double(x) * x;
  norm = std::sqrt(norm);
  const auto clip = static_cast<float>(norm / 2);  // so that the gradients are halved
  const OnDevice<float> g_p(p), g_m(m), g_v(v), g_g(g);
  const OnDevice<bf16> g_rounded(size);
  const OnDevice<double> g_parts(cuda::kNormParts), g_norm(std::size_t{1});
  const OnDevice<AdamwBlock> g_blocks(blocks);
  cuda::gradient_norm(kStream, size, g_g.data(), g_parts.data(), g_norm.data());
  EXPECT_NEAR(g_norm.read()[0], norm, 1e-9 * norm);
  cuda::adamw_update(kStream, s, clip, g_norm.data(), static_cast<int>(blocks.size()), g_blocks.data(), g_p.data(),
                     g_rounded.data(), g_m.data(), g_v.data(), g_g.data());
  for (const AdamwBlock& block : blocks) {
    AdamwScalars scalars = s;
    if (!block.decay) scalars.decay = 1;
    adamw_update(scalars, p.data() + block.begin, m.data() + block.begin, v.data() + block.begin,
                 g.data() + block.begin, static_cast<std::size_t>(block.size));
  }
  expect_like(g_p.read(), p, 1e-6, "parameters");
  expect_like(g_m.read(), m, 1e-6, "mean");
  expect_like(g_v.read(), v, 1e-6, "square");
  expect_like(as_floats(g_rounded.read()), p, kBf16, "rounded");
  EXPECT_EQ(g_g.read(), Floats(size));
}

TEST(CudaAdamw, ClipsToANormBeyondFloats) {
  const std::vector<AdamwBlock> blocks = {{0, 4, true}};
  AdamwScalars s{1, 0.99f, 0.1f, 0.95f, 0.05f, 1e-2f, 1.2f, 1e-8f};
  Floats p = {1, 2, 3, 4}, m(4), v(4), g = {3e38f, -3e38f, 3e38f, 1e38f};
  const OnDevice<float> g_p(p), g_m(m), g_v(v), g_g(g);
  const OnDevice<bf16> g_rounded(std::size_t{4});
  const OnDevice<double> g_parts(cuda::kNormParts), g_norm(std::size_t{1});
  const OnDevice<AdamwBlock> g_blocks(blocks);
  cuda::gradient_norm(kStream, 4, g_g.data(), g_parts.data(), g_norm.data());
  const double norm = g_norm.read()[0];
  ASSERT_GT(norm, std::numeric_limits<float>::max());
  cuda::adamw_update(kStream, s, 1, g_norm.data(), 1, g_blocks.data(), g_p.data(), g_rounded.data(), g_m.data(),
                     g_v.data(), g_g.data());
  s.gradient_scale = static_cast<float>(1 / norm);
  adamw_update(s, p.data(), m.data(), v.data(), g.data(), 4);
  expect_like(g_p.read(), p, 1e-6, "parameters");
  expect_like(g_m.read(), m, 1e-6, "mean");
  EXPECT_EQ(g_g.read(), Floats(4));
}

TEST(CudaAdamw, LeavesAllAsItIsWhenTheNormIsNotFinite) {
  const Floats p = {1, 2, 3, 4}, zero(4), g = {1, NAN, 1, 1};
  const OnDevice<float> g_p(p), g_m(zero), g_v(zero), g_g(g);
  const OnDevice<bf16> g_rounded(std::size_t{4});
  const OnDevice<double> g_parts(cuda::kNormParts), g_norm(std::size_t{1});
  const OnDevice<AdamwBlock> g_blocks(std::vector<AdamwBlock>{{0, 4, true}});
  cuda::gradient_norm(kStream, 4, g_g.data(), g_parts.data(), g_norm.data());
  EXPECT_TRUE(std::isnan(g_norm.read()[0]));
  cuda::adamw_update(kStream, {}, 1, g_norm.data(), 1, g_blocks.data(), g_p.data(), g_rounded.data(), g_m.data(),
                     g_v.data(), g_g.data());
  EXPECT_EQ(g_p.read(), p);
  EXPECT_EQ(g_m.read(), zero);
}

}  // namespace
}  // namespace btm
