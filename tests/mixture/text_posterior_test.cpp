#include "btm/mixture/text_posterior.h"

#include <gtest/gtest.h>

#include <cmath>

#include "btm/data/tokenizer.h"
#include "btm/model/checkpoint.h"
#include "tests/mixture/planted_forest.h"

namespace btm {
namespace {

struct TextPosteriors : test::PlantedForest {};

// Without memory the posterior is that of the last token, at the begin of a window of the experts, too.
TEST_F(TextPosteriors, ThePosteriorOfATextGoesOnOverItsWindows) {
  test::plant(paths_, cases_);
  const Forest forest = open_forest(paths_.root);
  const Tokenizer tokenizer = Tokenizer::load(paths_.tokenizer());
  std::string text;
  for (int i = 0; i < 20; ++i) text += "some words " + std::to_string(i) + "\n";
  TextPosteriorSettings settings;
  settings.prior.forgetting = 0;
  settings.quiet = true;
  for (const PriorKind kind : {PriorKind::uniform, PriorKind::updating}) {
    settings.prior.posterior = kind;
    const TextPosterior found = text_posterior(forest, expert_members(forest), tokenizer, text, settings);
    EXPECT_EQ(found.tokens, tokenizer.encode(text)) << "the first one has a score, too";
    EXPECT_EQ(found.bytes, static_cast<std::int64_t>(text.size()));
    const auto window = static_cast<std::size_t>(load_config(paths_.seed()).context);
    ASSERT_GT(found.tokens.size(), 2 * window);
    for (std::size_t t : {window - 1, window, 2 * window}) {
      const auto p = [&](std::size_t j) { return std::exp(static_cast<double>(found.scores.of(j)[t - 1])); };
      const bool last_token = std::abs(found.course[t * 3] - p(0) / (p(0) + p(1) + p(2))) < 1e-6;
      EXPECT_EQ(last_token, kind == PriorKind::uniform || t == window - 1) << to_word(kind) << t;
    }
  }
}

}  // namespace
}  // namespace btm
