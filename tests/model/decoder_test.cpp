// Generation with a cache against transformers' logits of the whole sequence.
#include "btm/model/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "btm/model/dtype.h"
#include "tests/model/oracle_case.h"

namespace btm {
namespace {

using test::oracle_case;
using test::OracleCase;

class DecoderOracle : public ::testing::TestWithParam<const char*> {
 protected:
  // The decoder's logits are those of position `position` of the first sequence.
  void expect_logits(std::span<const float> logits, int position) const {
    const std::size_t vocab = c.model.config.vocab_size;
    ASSERT_EQ(logits.size(), vocab);
    for (std::size_t i = 0; i < vocab; ++i) {
      ASSERT_NEAR(logits[i], c.logits[position * vocab + i], 1e-4) << "position " << position;
    }
  }
  const OracleCase& c = oracle_case(GetParam());
  std::span<const TokenId> tokens{c.tokens.data(), static_cast<std::size_t>(c.length)};
};
INSTANTIATE_TEST_SUITE_P(Cases, DecoderOracle,
                         ::testing::Values("gpt2", "gpt2_untied", "gpt2_long", "llama", "llama_grouped", "llama_tied",
                                           "llama_linear", "llama_scaled", "qwen2"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(DecoderOracle, StepByStep) {
  Decoder decoder(c.model);
  for (int i = 0; i < c.length; ++i) {
    expect_logits(decoder.append(tokens.subspan(i, 1)), i);
    EXPECT_EQ(decoder.length(), i + 1);
  }
}

TEST_P(DecoderOracle, RoomForNoMoreThanIsNeeded) {
  const int room = c.length / 2;
  Decoder decoder(c.model, 2, nullptr, room);
  for (int sequence : {1, 0}) {
    decoder.append(tokens.first(3), sequence);
    for (int i = 3; i < room; ++i) expect_logits(decoder.append(tokens.subspan(i, 1), sequence), i);
  }
  EXPECT_THROW(decoder.append(tokens.first(1)), Error);
  EXPECT_LT(Decoder::bytes(c.model.config, 2, room), Decoder::bytes(c.model.config, 2, c.length));
}

TEST_P(DecoderOracle, PromptAtOnceThenSteps) {
  Decoder decoder(c.model);
  decoder.append(tokens.first(5));
  decoder.reset();
  const int prompt = c.length - 3;
  expect_logits(decoder.append(tokens.first(prompt)), prompt - 1);
  for (int i = prompt; i < c.length; ++i) expect_logits(decoder.append(tokens.subspan(i, 1)), i);
}

TEST_P(DecoderOracle, SequencesOfOtherLengthsStepTogether) {
  Decoder decoder(c.model, 3);
  decoder.append(tokens.first(1), 0);
  decoder.append(tokens.first(6), 2);
  const std::size_t vocab = c.model.config.vocab_size;
  for (int i = 6; i < c.length; ++i) {
    const std::vector<int> sequences{2, 0};
    auto logits = decoder.step(sequences, std::vector<TokenId>{tokens[i], tokens[i - 5]});
    ASSERT_EQ(logits.size(), 2 * vocab);
    expect_logits(logits.first(vocab), i);
    expect_logits(logits.subspan(vocab), i - 5);
  }
  EXPECT_EQ(decoder.length(0), c.length - 5);
  EXPECT_EQ(decoder.length(1), 0);
}

TEST_P(DecoderOracle, ScoresAPrompt) {
  Decoder decoder(c.model);
  const std::size_t vocab = c.model.config.vocab_size;
  std::vector<float> log_probs(tokens.size() - 1);
  expect_logits(decoder.append(tokens, 0, log_probs), c.length - 1);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    double sum = 0;
    for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(double(c.logits[i * vocab + v]));
    EXPECT_NEAR(log_probs[i], c.logits[i * vocab + tokens[i + 1]] - std::log(sum), 1e-4);
  }
}

// Logits of the whole sequence are those of a model whose matrices were rounded before.
TEST_P(DecoderOracle, Bfloat16MatricesAreRoundedOnes) {
  NarrowWeights narrow(c.model, NarrowFormat::bf16);
  Model rounded{c.model.config, Buffer(c.model.parameters.size())};
  std::ranges::copy(c.model.parameters.span(), rounded.parameters.data());
  const bool tied = *c.model.config.tied_embeddings;
  for (const ParameterSlice& slice : parameter_layout(c.model.config)) {
    const bool embedding = slice.name.ends_with("wpe.weight") || slice.name.ends_with("wte.weight") ||
                           slice.name.ends_with("embed_tokens.weight");
    if (slice.shape.size() != 2 || embedding) continue;
    auto values = rounded.parameters.span().subspan(slice.offset, slice.size);
    const std::vector<double> wide(values.begin(), values.end());
    std::string bytes(values.size() * 2, '\0');
    ASSERT_TRUE(from_double(Dtype::bf16, wide, bytes.data()));
    ASSERT_TRUE(to_float(Dtype::bf16, bytes, values));
  }
  Decoder decoder(c.model, 1, &narrow), reference(rounded);
  for (std::size_t first : {std::size_t{0}, tokens.size() - 3, tokens.size() - 2}) {
    const std::size_t count = first == 0 ? tokens.size() - 3 : 1;
    auto found = decoder.append(tokens.subspan(first, count)),
         expected = reference.append(tokens.subspan(first, count));
    for (std::size_t i = 0; i < found.size(); ++i) {
      // A tied head is rounded too, while its table is not.
      ASSERT_NEAR(found[i], expected[i], tied ? 2e-2 * (1 + std::abs(expected[i])) : 1e-4) << first;
    }
  }
}

TEST(Decoder, RefusesToGoPastTheContext) {
  const OracleCase& c = oracle_case("gpt2");
  Decoder decoder(c.model);
  decoder.append(std::span(c.tokens).first(40));
  try {
    decoder.append(std::span(c.tokens).first(1));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_STREQ(e.what(), "1 tokens after 40 are past the context of 40");
  }
}

}  // namespace
}  // namespace btm
