// Tokens and posterior of an ensemble against float64 Python (tests/oracle/generate_cases.py).
#include "btm/mixture/ensemble.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "btm/core/error.h"
#include "btm/model/checkpoint.h"
#include "btm/model/decoder.h"
#include "tests/mixture/generate_cases.h"

namespace btm {
namespace {

using test::cases;
using test::experts;
using test::greedy;
using test::ids;
using test::ignore;
using test::tokenizer_of;
using test::weights_of;

TEST(EnsembleGeneration, GreedyTokensAndPosteriorEqualTheFormulas) {
  const Json prompts = cases()["ensemble"]["prompts"];
  for (const Json& c : prompts) {
    for (const Json& run : c["runs"]) {
      Ensemble ensemble(experts(), weights_of(run), {.threads = 2});
      Tokenizer tokenizer = tokenizer_of("expert_0");
      std::vector<TokenId> text = tokenizer.encode(c["prompt"].get<std::string>());
      ensemble.begin(0, text);
      std::vector<double> found(3);
      for (std::size_t i = 0; i < run["tokens"].size(); ++i) {
        ensemble.weights(0, found);
        for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(found[j], run["weights"][i][j].get<double>(), 1e-4) << i;
        auto scores = ensemble.scores(0);
        auto best = static_cast<TokenId>(std::max_element(scores.begin(), scores.end()) - scores.begin());
        ASSERT_EQ(best, run["tokens"][i].get<TokenId>()) << c["prompt"] << " token " << i;
        std::vector<int> sequence{0};
        if (i + 1 < run["tokens"].size()) ensemble.step(sequence, std::span(&best, 1));
      }
    }
  }
}

// The log-probabilities of the token after these.
std::vector<double> next_log_probs(const Model& model, std::span<const TokenId> tokens) {
  Decoder decoder(model);
  const std::span<const float> logits = decoder.append(tokens);
  std::vector<double> result(logits.begin(), logits.end());
  const double most = std::ranges::max(result);
  double sum = 0;
  for (const double logit : result) sum += std::exp(logit - most);
  for (double& logit : result) logit -= most + std::log(sum);
  return result;
}

std::vector<double> normalised_exp(std::vector<double> exponents) {
  const double most = std::ranges::max(exponents);
  double sum = 0;
  for (double& each : exponents) sum += each = std::exp(each - most);
  for (double& each : exponents) each /= sum;
  return exponents;
}

// Each token from the experts run anew on what they see: all that is there, and past the context what has come since
// the later half of it. The posterior goes on through that.
TEST(EnsembleGeneration, PastTheContextItIsWhatComputingEachTokenAnewGives) {
  const Json c = cases()["ensemble"]["prompts"][2];
  std::vector<Model> models;
  for (const Member& expert : experts()) models.push_back(load_member(expert));
  const auto context = static_cast<std::size_t>(models.front().config.context);
  for (const Json& run : c["runs"]) {
    const MixtureWeights weights = weights_of(run);
    Ensemble ensemble(experts(), weights, {});
    GenerateSettings settings;
    settings.tokens = 3 * static_cast<std::int64_t>(context);
    settings.sampler.top_k = 5;
    const Generation out =
        generate(ensemble, tokenizer_of("expert_0"), {c["prompt"].get<std::string>()}, settings, ignore).front();
    ASSERT_EQ(out.tokens.size(), 3 * context) << "ended by " << out.reason;
    std::vector<TokenId> all = out.prompt;
    for (const TokenId id : ids(out)) all.push_back(id);

    Sampler sampler(settings.sampler);
    std::vector<double> evidence(models.size());
    auto posterior = [&] {
      std::vector<double> exponents;
      for (std::size_t j = 0; j < evidence.size(); ++j)
        exponents.push_back(std::log(weights.prior[j]) + weights.evidence * evidence[j]);
      return normalised_exp(exponents);
    };
    std::size_t first = 0;  // that the experts see
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (i - first > context) first = i - context / 2;
      std::vector<std::vector<double>> log_probs;
      for (const Model& model : models)
        log_probs.push_back(next_log_probs(model, std::span(all).subspan(first, i - first)));
      if (i >= out.prompt.size()) {
        const std::vector<double> now = posterior();
        std::vector<float> mixed;
        for (std::size_t token = 0; token < log_probs.front().size(); ++token) {
          double p = 0;
          for (std::size_t j = 0; j < models.size(); ++j) p += now[j] * std::exp(log_probs[j][token]);
          mixed.push_back(static_cast<float>(std::log(p)));
        }
        const GeneratedToken& found = out.tokens[i - out.prompt.size()];
        ASSERT_EQ(sampler.next(mixed, std::span(all).first(i)), found.id) << "token " << i;
        EXPECT_NEAR(found.weight, now[static_cast<std::size_t>(found.expert)], 1e-4) << "token " << i;
        EXPECT_NEAR(found.weight, std::ranges::max(now), 1e-4) << "token " << i;
      }
      for (std::size_t j = 0; j < models.size(); ++j)
        evidence[j] = weights.forgetting * evidence[j] + log_probs[j][static_cast<std::size_t>(all[i])];
    }
    const std::vector<double> after = posterior();
    for (std::size_t j = 0; j < after.size(); ++j) EXPECT_NEAR(out.posterior[j], after[j], 1e-4);
  }
}

TEST(EnsembleGeneration, PromptsOfABatchGrowAsIfAlone) {
  Json prompts = cases()["ensemble"]["prompts"];
  std::vector<std::string> texts;
  for (const Json& c : prompts) texts.push_back(c["prompt"]);
  texts.push_back(texts.front());
  GenerateSettings settings;
  settings.tokens = 50;  // past the context, too
  Tokenizer tokenizer = tokenizer_of("expert_0");
  Ensemble together(experts(), weights_of(prompts[0]["runs"][1]), {.sequences = 3, .threads = 2});
  std::vector<std::size_t> ended;
  auto batch = generate(together, tokenizer, texts, settings, ignore, [&](std::size_t i, const Generation& out) {
    EXPECT_FALSE(out.reason.empty());
    ended.push_back(i);
  });
  EXPECT_EQ(std::set<std::size_t>(ended.begin(), ended.end()).size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Ensemble alone(experts(), weights_of(prompts[0]["runs"][1]), {});
    GenerateSettings own = settings;
    own.sampler.random_seed += static_cast<std::int64_t>(i);
    Generation out = generate(alone, tokenizer, {texts[i]}, own, ignore).front();
    EXPECT_EQ(batch[i].text, out.text) << i;
    EXPECT_EQ(ids(batch[i]), ids(out)) << i;
  }
  EXPECT_NE(batch.front().text, batch.back().text);  // the same prompt, another place in the random sequence
}

TEST(EnsembleGeneration, TellsThePosteriorAfterTheLastToken) {
  Json c = cases()["ensemble"]["prompts"][1];
  const MixtureWeights weights = weights_of(c["runs"][0]);
  Ensemble ensemble(experts(), weights, {});
  for (const int tokens : {1, 5}) {
    Generation out = generate(ensemble, tokenizer_of("expert_0"), {c["prompt"]}, greedy(tokens), ignore).front();
    std::vector<TokenId> whole = out.prompt;
    for (const TokenId id : ids(out)) whole.push_back(id);
    Ensemble again(experts(), weights, {});
    again.begin(0, whole);
    std::vector<double> expected(again.experts());
    again.weights(0, expected);
    for (std::size_t j = 0; j < expected.size(); ++j) EXPECT_NEAR(out.posterior[j], expected[j], 1e-5) << tokens;
  }
}

TEST(EnsembleGeneration, DroppedExpertsAreNotRun) {
  Json c = cases()["ensemble"]["prompts"][2];
  Tokenizer tokenizer = tokenizer_of("expert_0");
  MixtureWeights weights = weights_of(c["runs"][0]);
  weights.drop_below = 0.5;  // never two of them
  Ensemble ensemble(experts(), weights, {});
  Generation out = generate(ensemble, tokenizer, {c["prompt"]}, greedy(30), ignore).front();
  auto tokens = static_cast<std::int64_t>(out.prompt.size() + out.tokens.size());
  EXPECT_LT(ensemble.runs(), 3 * tokens);
  EXPECT_GE(ensemble.runs(), tokens - 1);
  EXPECT_EQ(std::count(out.posterior.begin(), out.posterior.end(), 0.0), 2);
}

TEST(EnsembleGeneration, RefusesExpertsThatCannotBeMixed) {
  EXPECT_THROW(Ensemble(experts(), {{0.5, 0.5}}, {}), Error);  // weights of two
}

}  // namespace
}  // namespace btm
