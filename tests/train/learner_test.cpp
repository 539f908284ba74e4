// 300 steps of training against PyTorch, and what must not depend on the number of threads.
#include "btm/train/learner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "btm/core/files.h"
#include "btm/model/checkpoint.h"
#include "tests/train/run_fixture.h"

namespace btm {
namespace {

struct Case {
  fs::path folder;
  TrainingSettings settings;
  int sequences = 0;
  Json steps;
  std::vector<TokenId> tokens;  // [steps, sequences, context + 1]
};

Case read_case(const std::string& family) {
  Case c;
  c.folder = test::oracle_folder() / family;
  Json json = Json::parse(test::read(c.folder / "case.json"));
  read_settings(parse_yaml(json["training"].dump(), "case"), c.settings, "case");
  c.sequences = json["sequences"];
  c.steps = json["steps"];
  c.tokens = test::read_array<TokenId>(c.folder / "tokens.bin");
  return c;
}

std::vector<UpdateReport> train(const Case& c, int threads) {
  Model model = load_model(c.folder / "init");
  auto length = static_cast<std::size_t>(model.config.context), n = static_cast<std::size_t>(c.sequences);
  auto updates = static_cast<std::int64_t>(c.steps.size());
  ThreadTeam team(threads);
  const Ranks alone;
  Learner learner(model, c.settings, c.sequences, updates, team, alone);
  std::vector<UpdateReport> reports;
  for (std::int64_t u = 0; u < updates; ++u) {
    std::vector<TokenId> inputs, targets;
    for (std::size_t s = 0; s < n; ++s) {
      const TokenId* sequence = c.tokens.data() + (static_cast<std::size_t>(u) * n + s) * (length + 1);
      inputs.insert(inputs.end(), sequence, sequence + length);
      targets.insert(targets.end(), sequence + 1, sequence + length + 1);
    }
    reports.push_back(learner.learn(inputs, targets, {}, u));
  }
  return reports;
}

class LearnerTest : public testing::TestWithParam<std::tuple<const char*, int>> {};

constexpr std::size_t kAlike = 20;  // steps; after that rounding errors have grown

TEST_P(LearnerTest, LearnsAsPyTorchDoes) {
  Case c = read_case(std::get<0>(GetParam()));
  c.settings.precision = Precision::fp32;
  std::vector<UpdateReport> reports = train(c, std::get<1>(GetParam()));
  ASSERT_EQ(reports.size(), 300u);
  EXPECT_NEAR(reports[0].gradient_norm, c.steps[0]["gradient_norm"].get<double>(), 1e-5);
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const double loss = c.steps[i]["loss"];
    EXPECT_NEAR(reports[i].loss, loss, i < kAlike ? 1e-3 : 0.005 * loss) << "step " << i;
    EXPECT_NEAR(reports[i].learning_rate, c.steps[i]["learning_rate"], 1e-9) << "step " << i;
    const double norm = c.steps[i]["gradient_norm"];
    EXPECT_NEAR(reports[i].gradient_norm, norm, i < kAlike ? 1e-2 : 0.1 * norm) << "step " << i;
  }
}

constexpr std::size_t kWindow = 20;  // steps, 2880 tokens

double mean_loss(const std::vector<UpdateReport>& reports, std::size_t begin) {
  double sum = 0;
  for (std::size_t i = begin; i < begin + kWindow; ++i) sum += reports[i].loss;
  return sum / kWindow;
}

// bfloat16 keeps 8 bits of an operand, yet the curve stays that of float32.
TEST_P(LearnerTest, LearnsAsPyTorchDoesWithProductsInBf16) {
  Case c = read_case(std::get<0>(GetParam()));
  c.settings.precision = Precision::bf16;
  std::vector<UpdateReport> reports = train(c, std::get<1>(GetParam()));
  ASSERT_EQ(reports.size(), 300u);
  EXPECT_GT(std::abs(reports[0].gradient_norm - c.steps[0]["gradient_norm"].get<double>()), 1e-5) << "nothing rounded";
  for (std::size_t begin = 0; begin < reports.size(); begin += kWindow) {
    double expected = 0;
    for (std::size_t i = begin; i < begin + kWindow; ++i) expected += c.steps[i]["loss"].get<double>() / kWindow;
    EXPECT_NEAR(mean_loss(reports, begin), expected, 0.005 * expected) << "from step " << begin;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, LearnerTest,
                         testing::Combine(testing::Values("gpt2", "llama"), testing::Values(1, 2, 4)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_threads_" +
                                  std::to_string(std::get<1>(test.param));
                         });

TEST(Learner, EqualThreadsGiveEqualBytes) {
  Case c = read_case("gpt2");
  std::vector<UpdateReport> first = train(c, 2), second = train(c, 2);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].loss, second[i].loss) << "step " << i;
}

}  // namespace
}  // namespace btm
