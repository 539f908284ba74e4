#include "tests/train/oracle_case.h"

#include <gtest/gtest.h>

#include "btm/model/checkpoint.h"
#include "tests/train/run_fixture.h"

namespace btm::test {
namespace {

constexpr std::size_t kWindow = 20;  // steps, 2880 tokens

}  // namespace

OracleCase read_case(const std::string& family) {
  OracleCase c;
  c.folder = oracle_folder() / family;
  Json json = Json::parse(read(c.folder / "case.json"));
  read_settings(parse_yaml(json["training"].dump(), "case"), c.settings, "case");
  c.sequences = json["sequences"];
  c.steps = json["steps"];
  c.tokens = read_array<TokenId>(c.folder / "tokens.bin");
  return c;
}

std::vector<UpdateReport> train(Learner& learner, const OracleCase& c, int end, int begin) {
  const auto n = static_cast<std::size_t>(c.sequences), length = c.tokens.size() / (c.steps.size() * n) - 1;
  std::vector<UpdateReport> reports;
  for (int u = begin; u < end; ++u) {
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

void expect_losses_like_pytorch(const OracleCase& c, const std::vector<UpdateReport>& reports) {
  ASSERT_EQ(reports.size() % kWindow, 0u);
  for (std::size_t begin = 0; begin < reports.size(); begin += kWindow) {
    double expected = 0, found = 0;
    for (std::size_t i = begin; i < begin + kWindow; ++i) {
      expected += c.steps[i]["loss"].get<double>() / kWindow;
      found += reports[i].loss / kWindow;
    }
    EXPECT_NEAR(found, expected, 0.005 * expected) << "from step " << begin;
  }
}

}  // namespace btm::test
