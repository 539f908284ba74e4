// The Transformer against transformers' models and PyTorch's autograd.
#include "btm/model/transformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <thread>

#include "btm/model/kernels/packed_gemm.h"
#include "tests/model/oracle_case.h"

namespace btm {
namespace {

using test::oracle_case;
using test::OracleCase;
using Use = Transformer::Use;

// The cases are named here, as parameters are listed before the oracle has run.
class TransformerOracle : public ::testing::TestWithParam<const char*> {
 protected:
  const OracleCase& c = oracle_case(GetParam());
  const float* parameters = c.model.parameters.data();
};
const auto kCases = ::testing::Values("gpt2", "gpt2_untied", "gpt2_long", "llama", "llama_grouped", "llama_tied",
                                      "llama_linear", "llama_scaled", "qwen2");
std::string name_of(const ::testing::TestParamInfo<const char*>& test) {
  return test.param;
}
INSTANTIATE_TEST_SUITE_P(Cases, TransformerOracle, kCases, name_of);

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double difference = std::abs(double(a[i]) - b[i]);
    if (!(difference <= largest)) largest = difference;  // NaN stays
  }
  return largest;
}

double norm(std::span<const float> a) {
  double square = 0;
  for (float x : a) square += double(x) * x;
  return std::sqrt(square);
}

double sum(std::span<const float> a) {
  double total = 0;
  for (float x : a) total += x;
  return total;
}

// Up to so large a part of a matrix's norm; any one of its numbers up to ten times as much.
void expect_gradients(const OracleCase& c, std::span<const float> found, double times = 1, double error = 1e-4) {
  for (const auto& slice : parameter_layout(c.model.config)) {
    std::vector<float> expected = c.gradients.at(slice.name), difference = expected;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      difference[i] = static_cast<float>(found[slice.offset + i] - times * expected[i]);
    }
    double size = times * norm(expected);
    EXPECT_LE(norm(difference), error * size) << slice.name;
    double elements = std::sqrt(double(expected.size()));
    EXPECT_LE(largest_difference(difference, std::vector<float>(expected.size())), 10 * error * size / elements + 1e-7)
        << slice.name;
  }
}

TEST_P(TransformerOracle, GivesTheLogits) {
  std::vector<float> logits(c.logits.size());
  for (Use use : {Use::training, Use::scoring}) {
    Transformer(c.model.config, c.sequences, c.length, use).logits(parameters, c.tokens, logits);
    EXPECT_LE(largest_difference(logits, c.logits), 1e-4);
  }
}

TEST_P(TransformerOracle, GivesTheSameLogitsWhereItsContextIsShortened) {
  const int length = c.length / 2;
  Model copy{c.model.config, Buffer(c.model.parameters.size())};
  std::ranges::copy(c.model.parameters.span(), copy.parameters.data());
  const Model model = shortened(std::move(copy), length);
  EXPECT_EQ(std::ssize(model.parameters.span()), parameter_count(model.config));
  std::vector<float> logits(std::size_t(length) * c.model.config.vocab_size);
  Transformer transformer(model.config, 1, length, Use::scoring);
  transformer.logits(model.parameters.data(), std::span(c.tokens).first(length), logits);
  EXPECT_LE(largest_difference(logits, std::span(c.logits).first(logits.size())), 1e-4);
}

TEST_P(TransformerOracle, ScoresTargets) {
  std::vector<float> log_probs(c.log_probs.size(), 7.0f);
  Transformer(c.model.config, c.sequences, c.length, Use::scoring).score(parameters, c.tokens, c.targets, log_probs);
  EXPECT_LE(largest_difference(log_probs, c.log_probs), 1e-4);
  for (std::size_t i = 0; i < log_probs.size(); ++i) {
    if (c.targets[i] == kNoToken) {
      EXPECT_EQ(log_probs[i], 0);
    }
  }
}

TEST_P(TransformerOracle, GivesAutogradsGradients) {
  Transformer transformer(c.model.config, c.sequences, c.length, Use::training);
  Buffer gradients(c.model.parameters.size());
  double loss = transformer.train(parameters, c.tokens, c.targets, c.scale, gradients.data());
  EXPECT_NEAR(loss / -sum(c.log_probs), 1, 1e-5);
  expect_gradients(c, gradients.span());
  transformer.train(parameters, c.tokens, c.targets, c.scale, gradients.data());
  expect_gradients(c, gradients.span(), 2);  // they are added
}

// More threads, too, than the matrices have parts to deal out.
TEST_P(TransformerOracle, GivesAutogradsGradientsOnThreadsTogether) {
  for (const Use use : {Use::training, Use::recomputing}) {
    for (const int members : {2, 3, 8}) {
      Transformer transformer(c.model.config, c.sequences, c.length, use, Operands::fp32, members);
      Buffer gradients(c.model.parameters.size());
      std::vector<double> losses(members);
      std::vector<std::thread> threads;
      for (int i = 0; i < members; ++i) {
        threads.emplace_back([&, i] {
          std::span tokens(c.tokens), targets(c.targets);
          std::size_t first = std::size_t(c.length) * (c.sequences - 1);  // calls of other numbers of rows
          losses[i] = transformer.train(parameters, tokens.first(first), targets.first(first), c.scale,
                                        gradients.data(), {}, i);
          losses[i] += transformer.train(parameters, tokens.subspan(first), targets.subspan(first), c.scale,
                                         gradients.data(), {}, i);
        });
      }
      for (std::thread& thread : threads) thread.join();
      double loss = 0;
      for (int i = 0; i < members; ++i) {
        EXPECT_NE(losses[i], 0);
        loss += losses[i];
      }
      EXPECT_NEAR(loss / -sum(c.log_probs), 1, 1e-5);
      expect_gradients(c, gradients.span());
    }
  }
}

TEST_P(TransformerOracle, TakesPartialBatches) {
  Transformer transformer(c.model.config, c.sequences + 2, c.length, Use::training);
  Buffer gradients(c.model.parameters.size());
  std::span tokens(c.tokens), targets(c.targets);
  std::size_t first = std::size_t(c.length) * (c.sequences - 1);
  double loss = transformer.train(parameters, tokens.first(first), targets.first(first), c.scale, gradients.data());
  loss += transformer.train(parameters, tokens.subspan(first), targets.subspan(first), c.scale, gradients.data());
  EXPECT_NEAR(loss / -sum(c.log_probs), 1, 1e-5);
  expect_gradients(c, gradients.span());
}

TEST_P(TransformerOracle, RepeatsItsBytesAlsoWhenItComputesActivationsTwice) {
  std::vector<Buffer> runs;
  for (Use use : {Use::training, Use::training, Use::recomputing}) {
    Buffer& gradients = runs.emplace_back(c.model.parameters.size());
    Transformer(c.model.config, c.sequences, c.length, use)
        .train(parameters, c.tokens, c.targets, c.scale, gradients.data());
    EXPECT_EQ(std::memcmp(runs[0].data(), gradients.data(), gradients.size() * sizeof(float)), 0);
  }
}

class PackedTransformer : public TransformerOracle {
 protected:
  Buffer train(Operands operands, bool pack) {
    const WeightOffsets offsets = weight_offsets(c.model.config);
    Transformer transformer(c.model.config, c.sequences, c.length, Use::training, operands);
    std::optional<PackedWeights> packed;
    if (pack) {
      packed.emplace(std::span(&offsets, 1), operands);
      for (int part = 0; part < 3; ++part) packed->pack(parameters, {part, 3});
      transformer.use(&*packed);
    }
    Buffer gradients(c.model.parameters.size());
    transformer.train(parameters, c.tokens, c.targets, c.scale, gradients.data());
    return gradients;
  }
};

INSTANTIATE_TEST_SUITE_P(Cases, PackedTransformer, kCases, name_of);

TEST_P(PackedTransformer, GivesTheSameBytesInBfloat16) {
  const Buffer expected = train(Operands::bf16, false), found = train(Operands::bf16, true);
  EXPECT_EQ(std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)), 0);
}

TEST_P(PackedTransformer, GivesTheSameBytesInInt16) {
  const Buffer expected = train(Operands::int16, false), found = train(Operands::int16, true);
  EXPECT_EQ(std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)), 0);
  expect_gradients(c, found.span(), 1, 2.5e-3);
}

TEST_P(PackedTransformer, HasTheOraclesGradients) {
  expect_gradients(c, train(Operands::fp32, true).span());
}

TEST(Transformer, ReplicasOnThreadsShareTheParameters) {
  const OracleCase& c = oracle_case("gpt2");
  std::vector<Buffer> gradients;
  for (int i = 0; i < c.sequences; ++i) gradients.emplace_back(c.model.parameters.size());
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < c.sequences; ++i) {
      threads.emplace_back([&, i] {
        Transformer replica(c.model.config, 1, c.length, Use::training);
        auto part = [&](std::span<const TokenId> all) { return all.subspan(std::size_t(i) * c.length, c.length); };
        replica.train(c.model.parameters.data(), part(c.tokens), part(c.targets), c.scale, gradients[i].data());
      });
    }
  }
  for (std::size_t i = 0; i < gradients[0].size(); ++i) {
    for (int j = 1; j < c.sequences; ++j) gradients[0].data()[i] += gradients[j].data()[i];
  }
  expect_gradients(c, gradients[0].span());
}

TEST(Transformer, NamesTokensOutsideTheVocabulary) {
  const OracleCase& c = oracle_case("gpt2");
  Transformer transformer(c.model.config, c.sequences, c.length, Use::training);
  Buffer gradients(c.model.parameters.size());
  auto message = [&](std::vector<TokenId> tokens, std::vector<TokenId> targets) -> std::string {
    try {
      transformer.train(c.model.parameters.data(), tokens, targets, 1, gradients.data());
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  auto changed = [](std::vector<TokenId> ids, TokenId value) {
    ids[3] = value;
    return ids;
  };
  EXPECT_EQ(message(changed(c.tokens, 500), c.targets),
            "a batch: token 500 is not of the model's vocabulary of 500; the tokens were made with another tokenizer");
  EXPECT_EQ(message(changed(c.tokens, -1), c.targets),
            "a batch: token -1 is not of the model's vocabulary of 500; the tokens were made with another tokenizer");
  EXPECT_EQ(message(c.tokens, changed(c.targets, 500)), "target 500 is not in the model's vocabulary of 500");
  EXPECT_THAT(message({1, 2, 3}, {1, 2, 3}), ::testing::HasSubstr("3 tokens are not up to 3 sequences of 40"));
}

TEST(Transformer, ShowsWeightsThatAreNotNumbers) {
  const OracleCase& c = oracle_case("llama");
  std::vector<float> broken(c.model.parameters.data(), c.model.parameters.data() + c.model.parameters.size());
  broken[broken.size() / 2] = std::nanf("");
  Transformer transformer(c.model.config, c.sequences, c.length, Use::training);
  Buffer gradients(broken.size());
  EXPECT_TRUE(std::isnan(transformer.train(broken.data(), c.tokens, c.targets, 1, gradients.data())));
}

}  // namespace
}  // namespace btm
