#include "btm/train/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "btm/core/random.h"
#include "btm/train/text_scorer.h"

namespace btm {
namespace {

Model tiny_model() {
  ModelConfig config;
  config.layers = 2;
  config.width = 32;
  config.heads = 4;
  config.context = 16;
  config.vocab_size = 50;
  return random_model(resolve(config), 4);
}

std::vector<TokenId> random_tokens(int size) {
  Random random(9);
  std::vector<TokenId> tokens;
  for (int i = 0; i < size; ++i) tokens.push_back(static_cast<TokenId>(random.below(50)));
  return tokens;
}

std::vector<float> score(const Model& model, const std::vector<TokenId>& tokens, int threads) {
  std::vector<float> log_probs(scored_windows(tokens.size(), 16) * 16);
  make_text_scorer(model, 16, {Device::cpu, threads})->score(tokens, log_probs);
  return log_probs;
}

TEST(Score, IsTheSoftmaxOfTheLogitsOfEachWindowAlone) {
  Model model = tiny_model();
  std::vector<TokenId> tokens = random_tokens(16 * 3 + 5);
  std::vector<float> found = score(model, tokens, 1);
  ASSERT_EQ(found.size(), 16u * 3);
  Transformer transformer(model.config, 1, 16, Transformer::Use::scoring);
  std::vector<float> logits(16 * 50);
  for (std::size_t w = 0; w < 3; ++w) {
    transformer.logits(model.parameters.data(), std::span(tokens).subspan(w * 16, 16), logits);
    for (std::size_t t = 0; t < 16; ++t) {
      const float* row = &logits[t * 50];
      double sum = 0;
      for (int v = 0; v < 50; ++v) sum += std::exp(static_cast<double>(row[v]));
      double expected = static_cast<double>(row[tokens[w * 16 + t + 1]]) - std::log(sum);
      EXPECT_NEAR(static_cast<double>(found[w * 16 + t]), expected, 1e-5) << w << " " << t;
    }
  }
}

TEST(Score, DoesNotDependOnThreads) {
  Model model = tiny_model();
  std::vector<TokenId> tokens = random_tokens(16 * 300 + 1);
  std::vector<float> one = score(model, tokens, 1);
  EXPECT_EQ(one, score(model, tokens, 2));
  EXPECT_EQ(one, score(model, tokens, 3));
}

TEST(Score, TooFewTokensForAWindowGiveNothing) {
  Model model = tiny_model();
  EXPECT_TRUE(score(model, random_tokens(16), 1).empty());
  EXPECT_TRUE(score(model, {}, 1).empty());
}

}  // namespace
}  // namespace btm
