// The weights of a branch against the cached posterior written out, on scores made here.
#include "btm/plan/branch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/random.h"
#include "btm/data/token_store.h"
#include "btm/forest/merge.h"
#include "btm/model/checkpoint.h"
#include "btm/model/transformer.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

constexpr int kWindows = 24;  // that are looked at; the text is longer
const std::vector<std::string> kExperts = {"a", "b", "c", "d"};

// log p of each token of the vocabulary at each position [length, vocab], normalised in double.
std::vector<double> log_probabilities_of(const Model& model, std::span<const TokenId> tokens) {
  const auto vocab = static_cast<std::size_t>(model.config.vocab_size);
  Transformer transformer(model.config, 1, static_cast<int>(tokens.size()), Transformer::Use::scoring);
  std::vector<float> logits(tokens.size() * vocab);
  transformer.logits(model.parameters.data(), tokens, logits);
  std::vector<double> out(logits.begin(), logits.end());
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    double sum = 0;
    for (std::size_t i = 0; i < vocab; ++i) sum += std::exp(out[row * vocab + i]);
    for (std::size_t i = 0; i < vocab; ++i) out[row * vocab + i] -= std::log(sum);
  }
  return out;
}

// Of four experts that differ much. The new domain's train text is theirs in turn, but for d, of which there is none.
class Branch : public testing::Test {
 protected:
  Branch() {
    for (const std::string& name : kExperts) grow(name);
    make_folders(paths_.tokens("new"));
    write_text("train", {0, 1, 0, 2, 1, 2, 0, 1});
    write_text("dev", {3});  // another text: it would give all to d
    write_text("test", {3});
    forest_ = open_forest(paths_.root);
    for (const ExpertInfo& expert : forest_.experts) candidates_.push_back(&expert);
  }

  void grow(const std::string& name) {
    test::write_run(paths_.run(name), xxh3(name));
    Model model = random_model(test::tiny_config(), xxh3(name));
    for (float& parameter : model.parameters.span()) parameter *= 5;  // as they come they are all but alike
    save_model(paths_.run(name) / "model", model, 0);
    merge_expert(paths_, paths_.run(name), test::expert_info(name, 1, {{"seed", 1, ""}}));
    models_.push_back(std::move(model));
  }

  // Window by window drawn from the experts in turn; some windows more than are looked at.
  void write_text(const std::string& split, const std::vector<std::size_t>& writers) {
    const int window = models_.front().config.context;
    Random random(xxh3(split));
    std::vector<TokenId> text = {0};
    for (std::size_t w = 0; w < kWindows + 9; ++w) {
      const Model& writer = models_[writers[w % writers.size()]];
      const std::size_t start = text.size() - 1;
      for (int i = 0; i < window; ++i) text.push_back(draw(writer, std::span(text).subspan(start), random));
    }
    TokenStoreWriter store(paths_.tokens("new") / split, models_.front().config.vocab_size);
    store.add(text);
    store.publish();
    if (split == "train") train_ = text;
  }

  static TokenId draw(const Model& model, std::span<const TokenId> context, Random& random) {
    const std::vector<double> log_probs = log_probabilities_of(model, context);
    const auto vocab = static_cast<std::size_t>(model.config.vocab_size);
    double left = random.uniform();
    std::size_t token = 0;
    while (token + 1 < vocab && (left -= std::exp(log_probs[(context.size() - 1) * vocab + token])) > 0) ++token;
    return static_cast<TokenId>(token);
  }

  // log p of the train text's window w under each expert.
  std::vector<double> evidence_of(std::size_t w) const {
    const auto window = static_cast<std::size_t>(models_.front().config.context);
    const auto vocab = static_cast<std::size_t>(models_.front().config.vocab_size);
    std::vector<double> sums;
    for (const Model& model : models_) {
      const auto log_probs = log_probabilities_of(model, std::span(train_).subspan(w * window, window));
      double sum = 0;
      for (std::size_t i = 0; i < window; ++i) {
        sum += log_probs[i * vocab + static_cast<std::size_t>(train_[w * window + i + 1])];
      }
      sums.push_back(sum);
    }
    return sums;
  }

  // Li et al. 2022, section 4.3: exact Bayes within a window from the prior so far, which then moves by 0.3.
  std::vector<double> cached_posterior() const {
    std::vector<double> prior(models_.size(), 0.25);
    for (std::size_t w = 0; w < kWindows; ++w) {
      const std::vector<double> evidence = evidence_of(w);
      double sum = 0;
      for (std::size_t j = 0; j < prior.size(); ++j) sum += prior[j] * std::exp(evidence[j]);
      for (std::size_t j = 0; j < prior.size(); ++j) {
        prior[j] = 0.7 * prior[j] + 0.3 * prior[j] * std::exp(evidence[j]) / sum;
      }
    }
    return prior;
  }

  std::vector<Parent> parents(BranchKind from, int top_k = 0) const {
    BranchSettings settings;
    settings.from = from;
    settings.top_k = top_k;
    settings.sequences = kWindows;
    return branch_parents(settings, forest_, candidates_, "new", {Device::cpu, 1});
  }

  // These experts in the order of the forest, weighted in these proportions.
  void expect_parents(const std::vector<Parent>& found, std::vector<std::size_t> experts,
                      const std::vector<double>& weights) const {
    std::ranges::sort(experts);
    ASSERT_EQ(found.size(), experts.size());
    double sum = 0;
    for (const std::size_t j : experts) sum += weights[j];
    for (std::size_t i = 0; i < experts.size(); ++i) {
      const std::size_t j = experts[i];
      EXPECT_EQ(found[i].name, kExperts[j]);
      EXPECT_NEAR(found[i].weight, weights[j] / sum, 1e-4) << kExperts[j];
      EXPECT_EQ(found[i].sha256, weights_sha256(paths_.expert(kExperts[j])));
    }
  }

  test::TemporaryFolder folder_;
  ForestPaths paths_ = test::plant(folder_ / "forest");
  std::vector<Model> models_;  // as kExperts
  std::vector<TokenId> train_;
  Forest forest_;
  std::vector<const ExpertInfo*> candidates_;
};

TEST_F(Branch, WeightsAreTheCachedPosteriorOfTheTrainText) {
  const std::vector<double> expected = cached_posterior();
  const double largest = std::ranges::max(expected);
  for (std::size_t j = 0; j < 3; ++j) ASSERT_GT(expected[j], 0.02 * largest) << "each counts";
  ASSERT_GT(expected[3], 0);
  ASSERT_LT(expected[3], 0.9e-3 * largest) << "too small to count";
  expect_parents(parents(BranchKind::posterior), {0, 1, 2}, expected);
}

TEST_F(Branch, TopKKeepsTheLargestAndArgmaxOne) {
  const std::vector<double> expected = cached_posterior();
  std::vector<std::size_t> order = {0, 1, 2, 3};
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return expected[a] > expected[b]; });
  ASSERT_GT(expected[order[0]], 1.1 * expected[order[1]]);
  ASSERT_GT(expected[order[1]], 1.1 * expected[order[2]]);
  expect_parents(parents(BranchKind::posterior, 2), {order[0], order[1]}, expected);
  expect_parents(parents(BranchKind::argmax), {order[0]}, expected);
  expect_parents(parents(BranchKind::argmax, 2), {order[0]}, expected);
  EXPECT_EQ(parents(BranchKind::argmax).front().weight, 1);
}

TEST_F(Branch, UniformLooksAtNoText) {
  fs::remove_all(paths_.tokens("new"));
  expect_parents(parents(BranchKind::uniform), {0, 1, 2, 3}, {1, 1, 1, 1});
}

}  // namespace
}  // namespace btm
