// Generation with a cache against transformers' logits of the whole sequence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "btm/model/transformer.h"
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
                         ::testing::Values("gpt2", "gpt2_untied", "gpt2_long", "llama", "llama_grouped", "llama_tied"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(DecoderOracle, StepByStep) {
  Decoder decoder(c.model);
  for (int i = 0; i < c.length; ++i) {
    expect_logits(decoder.append(tokens.subspan(i, 1)), i);
    EXPECT_EQ(decoder.length(), i + 1);
  }
}

TEST_P(DecoderOracle, PromptAtOnceThenSteps) {
  Decoder decoder(c.model);
  decoder.append(tokens.first(5));
  decoder.reset();
  const int prompt = c.length - 3;
  expect_logits(decoder.append(tokens.first(prompt)), prompt - 1);
  for (int i = prompt; i < c.length; ++i) expect_logits(decoder.append(tokens.subspan(i, 1)), i);
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
    EXPECT_STREQ(e.what(), "1 tokens after 40 are past the model's context of 40");
  }
}

}  // namespace
}  // namespace btm
