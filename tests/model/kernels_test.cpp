// Each kernel against loops in double precision that follow the formulas word by word.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include "btm/model/kernels/activation.h"
#include "btm/model/kernels/cpu_features.h"
#include "btm/model/kernels/embedding.h"
#include "btm/model/kernels/loss.h"
#include "btm/model/kernels/norm.h"
#include "btm/model/kernels/rope.h"
#include "tests/model/kernel_values.h"

namespace btm {
namespace {

using test::as_floats;
using test::Doubles;
using test::error_of;
using test::expect_near;
using test::Floats;
using test::numeric_gradient;
using test::random_floats;
using test::Stored;
using test::to_bf16;
using test::to_doubles;

struct NormCase {
  NormShape shape;
  Floats gain, shift;
  Doubles operator()(const Doubles& x) const {
    Doubles y(x.size());
    const int width = shape.width;
    for (std::size_t row = 0; row < x.size(); row += width) {
      double mean = 0, square = 0;
      for (int i = 0; i < width; ++i) mean += shape.centred ? x[row + i] / width : 0;
      for (int i = 0; i < width; ++i) square += (x[row + i] - mean) * (x[row + i] - mean) / width;
      for (int i = 0; i < width; ++i) {
        y[row + i] = (x[row + i] - mean) / std::sqrt(square + shape.epsilon) * gain[i] + (shape.centred ? shift[i] : 0);
      }
    }
    return y;
  }
};

TEST(Norm, MatchesTheFormulaAndItsGradient) {
  for (const auto& [centred, format] :
       {std::pair(true, Operands::fp32), {false, Operands::fp32}, {true, Operands::bf16}, {false, Operands::bf16}}) {
    const int rows = 3, width = 27, count = rows * width;
    NormCase norm{{centred, width, 1e-5f}, random_floats(width, 1, 1), random_floats(width, 1, 2)};
    const Floats input = random_floats(count, 1, 3), delta = random_floats(count, 1, 4);
    const Floats bias = random_floats(width, 1, 5), d_normed = random_floats(count, 1, 6);
    const float* shift = centred ? norm.shift.data() : nullptr;
    Floats sum(count), statistics(2 * rows);
    Stored normed(format, Floats(count));
    norm_forward(norm.shape, rows, input.data(), delta.data(), bias.data(), norm.gain.data(), shift, sum.data(),
                 normed.array(), statistics.data());
    Doubles total(count);
    for (int i = 0; i < count; ++i) total[i] = double(input[i]) + delta[i] + bias[i % width];
    expect_near(sum, total, 1e-6, "sum");
    expect_near(normed.values(), norm(total), error_of(format, 1e-5), "normed");

    const Floats before = random_floats(count, 1, 7);
    Floats d_sum = before, d_gain(width), d_shift(width), d_bias(width);
    Stored rounded(Operands::bf16, Floats(count));
    norm_backward(norm.shape, rows, sum.data(), norm.gain.data(), statistics.data(), d_normed.data(), d_sum.data(),
                  format == Operands::bf16 ? rounded.array().as<bf16>() : nullptr, d_gain.data(),
                  centred ? d_shift.data() : nullptr, d_bias.data());
    for (int i = 0; i < count && format == Operands::bf16; ++i) EXPECT_EQ(rounded.values()[i], to_bf16(d_sum[i]));
    Doubles expected = numeric_gradient(norm, sum, d_normed), bias_sum(width);
    for (int i = 0; i < count; ++i) bias_sum[i % width] += expected[i] += before[i];
    expect_near(d_sum, expected, 1e-5, "d_sum");
    expect_near(d_bias, bias_sum, 1e-5, "d_bias");
    Doubles d_gain_expected(width), d_shift_expected(width);
    NormCase plain{norm.shape, Floats(width, 1), Floats(width, 0)};
    Doubles h = plain(total);
    for (int i = 0; i < count; ++i) {
      d_gain_expected[i % width] += h[i] * d_normed[i];
      d_shift_expected[i % width] += centred ? d_normed[i] : 0;
    }
    expect_near(d_gain, d_gain_expected, 1e-5, "d_gain");
    expect_near(d_shift, d_shift_expected, 1e-5, "d_shift");
  }
}

// Whatever the vectors: several at a time, single ones, and numbers behind the last.
constexpr int kUnevenWidth = 101;

TEST(Gelu, MatchesTheFormulaAndItsGradient) {
  const int rows = 4, width = kUnevenWidth, count = rows * width;
  const Floats input = random_floats(count, 3, 1), bias = random_floats(width, 1, 2),
               d_out = random_floats(count, 1, 3);
  auto gelu = [](const Doubles& x) {
    Doubles y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] = 0.5 * x[i] * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x[i] + 0.044715 * x[i] * x[i] * x[i])));
    }
    return y;
  };
  for (const Operands format : {Operands::fp32, Operands::bf16}) {
    Stored before(format, Floats(count)), after(format, Floats(count));
    gelu_forward(rows, width, input.data(), bias.data(), before.array(), after.array());
    Doubles biased(count);
    for (int i = 0; i < count; ++i) biased[i] = input[i] + bias[i % width];
    expect_near(before.values(), biased, error_of(format, 1e-6), "before");
    expect_near(after.values(), gelu(to_doubles(before.values())), error_of(format, 1e-6), "gelu");
    Stored again(format, Floats(count));
    Floats d_bias(width);
    Doubles expected = numeric_gradient(gelu, before.values(), d_out), sums(width);
    gelu_backward(rows, width, before.array(), d_out.data(), before.array(), d_bias.data(), again.array());  // in place
    EXPECT_EQ(again.values(), after.values());
    for (int i = 0; i < count; ++i) sums[i % width] += expected[i];
    expect_near(before.values(), expected, error_of(format, 1e-5), "d");
    expect_near(d_bias, sums, 1e-5, "d_bias");
  }
}

TEST(Gelu, HoldsAtTheEnds) {
  Floats before{-1e4f, -30, -10, 10, 30, 1e4f}, bias(6), after(6), d_after(6, 1), d(6), d_bias(6);
  gelu_forward(1, 6, before.data(), bias.data(), before.data(), after.data());
  expect_near(after, {0, 0, 0, 10, 30, 1e4}, 1e-6, "gelu");
  gelu_backward(1, 6, before.data(), d_after.data(), d.data(), d_bias.data(), after.data());
  expect_near(d, {0, 0, 0, 1, 1, 1}, 1e-6, "d");
}

// A training that has diverged must not look as if it had not.
TEST(Exponentials, KeepNaN) {
  for (const int at : {3, 70, 100}) {
    Floats x = random_floats(kUnevenWidth, 3, 1), zeros(kUnevenWidth), d_bias = zeros, ones(kUnevenWidth, 1);
    x[at] = NAN;
    for (const Operands format : {Operands::fp32, Operands::bf16}) {
      Stored before(format, zeros), after(format, zeros), d(format, zeros), again(format, zeros);
      gelu_forward(1, kUnevenWidth, x.data(), zeros.data(), before.array(), after.array());
      gelu_backward(1, kUnevenWidth, before.array(), ones.data(), d.array(), d_bias.data(), again.array());
      for (int i = 0; i < kUnevenWidth; ++i) {
        EXPECT_EQ(std::isnan(after.values()[i]), i == at) << i;
        EXPECT_EQ(std::isnan(d.values()[i]), i == at) << i;
      }
    }
    const TokenId target = 0;
    float log_prob = 0, factor = 0;
    log_probabilities(1, kUnevenWidth, x.data(), &target, &log_prob);
    EXPECT_TRUE(std::isnan(log_prob));
    log_prob = 0;
    cross_entropy(1, kUnevenWidth, x.data(), &target, 1, Operands::fp32, &log_prob, &factor);
    EXPECT_TRUE(std::isnan(log_prob));
  }
}

TEST(Swiglu, MatchesTheFormulaAndItsGradient) {
  const int rows = 3, width = kUnevenWidth;
  const Floats input = random_floats(2 * rows * width, 3, 1), d_out = random_floats(rows * width, 1, 2);
  auto swiglu = [&](const Doubles& x) {
    Doubles y(rows * width);
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < width; ++i) {
        const double gate = x[2 * r * width + i], up = x[(2 * r + 1) * width + i];
        y[r * width + i] = gate / (1 + std::exp(-gate)) * up;
      }
    }
    return y;
  };
  for (const Operands format : {Operands::fp32, Operands::bf16}) {
    Stored gate_up(format, Floats(input.size())), after(format, Floats(rows * width));
    swiglu_forward(rows, width, input.data(), gate_up.array(), after.array());
    EXPECT_EQ(gate_up.values(), Stored(format, input).values());
    expect_near(after.values(), swiglu(to_doubles(gate_up.values())), error_of(format, 1e-6), "swiglu");
    Stored again(format, Floats(rows * width));
    const Doubles expected = numeric_gradient(swiglu, gate_up.values(), d_out);
    swiglu_backward(rows, width, gate_up.array(), d_out.data(), gate_up.array(), again.array());  // in place
    EXPECT_EQ(again.values(), after.values());
    expect_near(gate_up.values(), expected, error_of(format, 1e-5), "d");
  }
}

TEST(Bias, IsAddedAndSummed) {
  const int rows = 3, width = 37, count = rows * width;
  const Floats product = random_floats(count, 1, 1), bias = random_floats(width, 1, 2);
  for (const Operands format : {Operands::fp32, Operands::bf16}) {
    Stored y(format, Floats(count)), copy(format, Floats(count));
    bias_forward(rows, width, product.data(), bias.data(), y.array());
    bias_forward(rows, width, product.data(), nullptr, copy.array());
    Floats expected(count), d_bias = bias;
    for (int i = 0; i < count; ++i) expected[i] = product[i] + bias[i % width];
    EXPECT_EQ(y.values(), Stored(format, expected).values());
    EXPECT_EQ(copy.values(), Stored(format, product).values());
    bias_backward(rows, width, y.array(), d_bias.data());
    Doubles sums(bias.begin(), bias.end());
    for (int i = 0; i < count; ++i) sums[i % width] += y.values()[i];
    expect_near(d_bias, sums, 1e-6, "d_bias");
  }
}

TEST(Bfloat16, IsRoundedToNearest) {
  Floats x = random_floats(1000, 1, 1);
  for (const float special : {0.0f, -0.0f, 1.00390625f, 1.01171875f, -1.00390625f, 3.3e38f, 1e-39f, 65280.5f}) {
    x.push_back(special);  // among them ties between even and odd ones
  }
  Stored rounded(Operands::bf16, Floats(x.size()));
  bias_forward(1, static_cast<int>(x.size()), x.data(), nullptr, rounded.array());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float found = rounded.values()[i], expected = to_bf16(x[i]);
    const bool may_vanish = kHasAvx512Bf16 && std::abs(expected) < std::numeric_limits<float>::min();
    EXPECT_TRUE(found == expected || (may_vanish && found == 0)) << x[i] << " became " << found;
  }
}

TEST(Bfloat16, KeepsWhatIsNoNumber) {
  for (const std::uint32_t bits : {0x7fffffffu, 0xffffffffu, 0x7f800001u, 0x7fc00000u}) {
    Floats x(40, std::bit_cast<float>(bits));
    x[3] = INFINITY;
    x[39] = -INFINITY;
    Stored rounded(Operands::bf16, Floats(40));
    bias_forward(1, 40, x.data(), nullptr, rounded.array());
    const Floats found = rounded.values();
    for (std::size_t i = 0; i < 39; ++i) EXPECT_TRUE(i == 3 ? found[i] == INFINITY : std::isnan(found[i])) << i;
    EXPECT_EQ(found[39], -INFINITY);
  }
}

TEST(Rope, TurnsPairsByPosition) {
  const int context = 50, head_dim = 12, heads = 2, rows = 6, stride = 30;
  const std::vector<int> positions{40, 41, 42, 40, 7, 49};
  const double theta = 1000;
  const Buffer table = rope_table(context, head_dim, theta);
  const Floats input = random_floats(rows * stride, 1, 1);
  Doubles expected(input.begin(), input.end());
  for (int r = 0; r < rows; ++r) {
    for (int h = 0; h < heads; ++h) {
      for (int i = 0; i < head_dim / 2; ++i) {
        const double angle = positions[r] / std::pow(theta, 2.0 * i / head_dim);
        const int a = r * stride + h * head_dim + i, b = a + head_dim / 2;
        expected[a] = input[a] * std::cos(angle) - input[b] * std::sin(angle);
        expected[b] = input[b] * std::cos(angle) + input[a] * std::sin(angle);
      }
    }
  }
  for (const Operands format : {Operands::fp32, Operands::bf16}) {
    Stored x(format, input);
    rope(table, Turn::forward, rows, positions.data(), heads, head_dim, x.array(), stride);
    expect_near(x.values(), expected, 2 * error_of(format, 1e-5), "turned");
    rope(table, Turn::backward, rows, positions.data(), heads, head_dim, x.array(), stride);
    expect_near(x.values(), Doubles(input.begin(), input.end()), 3 * error_of(format, 1e-5), "turned back");
  }
}

TEST(Embedding, GathersAndScatters) {
  const int width = 5;
  const std::vector<int> at{3, 4, 3, 0};
  const std::vector<TokenId> tokens{3, 1, 3, 0};
  const Floats table = random_floats(4 * width, 1, 1), positions = random_floats(6 * width, 1, 2);
  const Floats d_out = random_floats(4 * width, 1, 3);
  Floats out(4 * width), d_table(4 * width), d_positions(6 * width);
  embedding_forward(4, width, tokens.data(), at.data(), table.data(), positions.data(), out.data());
  Doubles expected(4 * width), d_table_expected(4 * width), d_positions_expected(6 * width);
  for (int r = 0; r < 4; ++r) {
    for (int i = 0; i < width; ++i) {
      expected[r * width + i] = double(table[tokens[r] * width + i]) + positions[at[r] * width + i];
      d_table_expected[tokens[r] * width + i] += d_out[r * width + i];
      d_positions_expected[at[r] * width + i] += d_out[r * width + i];
    }
  }
  expect_near(out, expected, 1e-6, "embedding");
  for (const auto& [begin, end] : {std::pair{0, 5}, std::pair{5, width}}) {
    embedding_backward(4, width, begin, end, tokens.data(), at.data(), d_out.data(), d_table.data(),
                       d_positions.data());
  }
  expect_near(d_table, d_table_expected, 1e-6, "d_table");
  expect_near(d_positions, d_positions_expected, 1e-6, "d_positions");
}

TEST(Softmax, AddsWeightedProbabilitiesAndTheirLogs) {
  const int vocab = kUnevenWidth;
  const Floats logits = random_floats(vocab, 4, 1), before = random_floats(vocab, 1, 2);
  double sum = 0;
  for (float x : logits) sum += std::exp(double(x));
  Doubles probabilities(before.begin(), before.end()), logs(before.begin(), before.end());
  for (int i = 0; i < vocab; ++i) {
    probabilities[i] += 0.3 * std::exp(double(logits[i])) / sum;
    logs[i] += 0.3 * (logits[i] - std::log(sum));
  }
  Floats found = before;
  add_probabilities(vocab, logits.data(), 0.3f, found.data());
  expect_near(found, probabilities, 1e-6, "probabilities");
  found = before;
  add_log_probabilities(vocab, logits.data(), 0.3f, found.data());
  expect_near(found, logs, 1e-6, "logs");
}

TEST(CrossEntropy, MatchesTheFormulaAndItsGradient) {
  const int rows = 3, vocab = kUnevenWidth;
  const std::vector<TokenId> targets{7, kNoToken, vocab - 1};
  Floats logits = random_floats(rows * vocab, 4, 1);
  for (int i = 0; i < vocab; ++i) logits[2 * vocab + i] += 1000;  // far from what exp can hold
  auto log_prob = [&](int row) {
    double most = -1e30, sum = 0;
    for (int i = 0; i < vocab; ++i) most = std::max<double>(most, logits[row * vocab + i]);
    for (int i = 0; i < vocab; ++i) sum += std::exp(logits[row * vocab + i] - most);
    return logits[row * vocab + targets[row]] - most - std::log(sum);
  };
  const Doubles expected{log_prob(0), 0, log_prob(2)};
  Doubles d_expected(rows * vocab);
  for (int row : {0, 2}) {
    for (int i = 0; i < vocab; ++i) {
      const double relative = double(logits[row * vocab + i]) - logits[row * vocab + targets[row]];
      d_expected[row * vocab + i] = 0.25 * (std::exp(relative + expected[row]) - (i == targets[row] ? 1 : 0));
    }
  }
  Floats scores(rows), log_probs(rows), factors(rows);
  log_probabilities(rows, vocab, logits.data(), targets.data(), scores.data());
  expect_near(scores, expected, 1e-6, "scores");
  for (const Operands format : {Operands::fp32, Operands::bf16}) {
    Floats spoilt = logits, gradient(rows * vocab);
    const OperandArray found =
        cross_entropy(rows, vocab, spoilt.data(), targets.data(), 0.25f, format, log_probs.data(), factors.data());
    ASSERT_EQ(found.format(), format);
    expect_near(log_probs, expected, 1e-6, "log_probs");
    if (format == Operands::fp32) gradient.assign(found.as<float>(), found.as<float>() + rows * vocab);
    if (format == Operands::bf16) gradient = as_floats({found.as<bf16>(), found.as<bf16>() + rows * vocab});
    scale_rows(rows, vocab, factors.data(), gradient.data(), gradient.data());
    expect_near(gradient, d_expected, error_of(format, 1e-6), "gradient");
    Stored scaled(format, Floats(rows));  // of one column
    scale_rows(rows, 1, factors.data(), log_probs.data(), scaled.array());
    Doubles products(rows);
    for (int r = 0; r < rows; ++r) products[r] = double(factors[r]) * log_probs[r];
    expect_near(scaled.values(), products, error_of(format, 1e-6), "scaled");
  }
}

}  // namespace
}  // namespace btm
