// One model on several GPUs: all ranks run these tests together, started by mpirun.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "btm/model/checkpoint.h"
#include "btm/train/cuda_learner.h"
#include "tests/cuda/small_model.h"
#include "tests/train/oracle_case.h"

namespace btm {
namespace {

using test::OracleCase;

const Ranks kAlone;
const Ranks* together = nullptr;

void expect_same_losses(const std::vector<UpdateReport>& found, const std::vector<UpdateReport>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(found[i].loss, expected[i].loss, 1e-3 * expected[i].loss) << i;
    EXPECT_NEAR(found[i].gradient_norm, expected[i].gradient_norm, 5e-3 * expected[i].gradient_norm) << i;
  }
}

void expect_same_weights_everywhere(Learner& learner, const Model& model) {
  learner.to_host();
  double sum = 0;
  for (const float value : model.parameters.span()) sum += value;
  EXPECT_EQ(sum, together->broadcast(sum));
}

class CudaRanksTest : public testing::TestWithParam<const char*> {};

TEST_P(CudaRanksTest, LearnAsOneDoes) {
  const OracleCase c = test::read_case(GetParam());
  constexpr int kUpdates = 6;  // at once, recorded, and from the graphs
  Model shared = load_model(c.folder / "init"), own = load_model(c.folder / "init");
  const auto learner = make_cuda_learner(shared, c.settings, c.sequences, kUpdates, *together, nullptr);
  const auto expected = make_cuda_learner(own, c.settings, c.sequences, kUpdates, kAlone, nullptr);
  expect_same_losses(test::train(*learner, c, kUpdates), test::train(*expected, c, kUpdates));
  expect_same_weights_everywhere(*learner, shared);
}

INSTANTIATE_TEST_SUITE_P(Families, CudaRanksTest, testing::Values("gpt2", "llama", "qwen2"),
                         [](const auto& test) { return std::string(test.param); });

std::vector<UpdateReport> train(Learner& learner, const std::vector<int>& domains) {
  std::vector<UpdateReport> reports;
  for (int update = 0; update < 4; ++update) {
    reports.push_back(test::learn_random_batch(learner, domains, update));
  }
  return reports;
}

TEST(CudaRanks, WithoutASequenceTakePartAllTheSame) {
  Model shared = random_model(test::small_config(), 1), own = random_model(test::small_config(), 1);
  const auto learner = make_cuda_learner(shared, {}, 1, 4, *together, nullptr);
  const auto expected = make_cuda_learner(own, {}, 1, 4, kAlone, nullptr);
  expect_same_losses(train(*learner, {0}), train(*expected, {0}));
  expect_same_weights_everywhere(*learner, shared);
}

// The first rank has one call, the second one has two, of which the last brings the sum.
TEST(CudaRanks, TrainDemixAsOneDoes) {
  const Model plain = random_model(test::small_config(), 1);
  const DemixLayout layout(plain.config, 2);
  Model shared{plain.config, demix_parameters(layout, plain)}, own{plain.config, demix_parameters(layout, plain)};
  const std::vector<int> domains = {0, 0, 0, 1};
  const auto learner = make_cuda_learner(shared, {}, 4, 4, *together, &layout);
  const auto expected = make_cuda_learner(own, {}, 4, 4, kAlone, &layout);
  expect_same_losses(train(*learner, domains), train(*expected, domains));
  expect_same_weights_everywhere(*learner, shared);
}

}  // namespace
}  // namespace btm

int main(int count, char** words) {
  testing::InitGoogleTest(&count, words);
  const btm::Ranks ranks = btm::Ranks::join();
  btm::together = &ranks;
  return RUN_ALL_TESTS();
}
