// 300 steps of training against PyTorch, and what must not depend on the number of threads.
#include "btm/train/thread_learner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "btm/model/checkpoint.h"
#include "btm/train/passes.h"
#include "tests/train/oracle_case.h"

namespace btm {
namespace {

using test::OracleCase;

std::vector<UpdateReport> train(const OracleCase& c, int threads) {
  Model model = load_model(c.folder / "init");
  const auto updates = static_cast<int>(c.steps.size());
  ThreadTeam team(threads);
  const Ranks alone;
  ThreadLearner learner(model, c.settings, c.sequences, updates, team, alone);
  return test::train(learner, c, updates);
}

class ThreadLearnerTest : public testing::TestWithParam<std::tuple<const char*, int>> {};

constexpr std::size_t kAlike = 20;  // steps; after that rounding errors have grown

TEST_P(ThreadLearnerTest, LearnsAsPyTorchDoes) {
  OracleCase c = test::read_case(std::get<0>(GetParam()));
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

// bfloat16 keeps 8 bits of an operand, int16 12 below its block's largest, yet the curves stay that of float32.
TEST_P(ThreadLearnerTest, LearnsAsPyTorchDoesWithRoundedProducts) {
  OracleCase c = test::read_case(std::get<0>(GetParam()));
  c.settings.precision = Precision::fp32;
  const double exact = train(c, std::get<1>(GetParam()))[0].gradient_norm;
  for (const auto& [precision, least] : {std::pair(Precision::bf16, 1e-5), {Precision::int16, 1e-7}}) {
    SCOPED_TRACE(to_word(precision));
    c.settings.precision = precision;
    std::vector<UpdateReport> reports = train(c, std::get<1>(GetParam()));
    ASSERT_EQ(reports.size(), 300u);
    EXPECT_GT(std::abs(reports[0].gradient_norm - exact), least) << "nothing rounded";
    if (precision == Precision::bf16) {
      EXPECT_GT(std::abs(reports[0].gradient_norm - c.steps[0]["gradient_norm"].get<double>()), least);
    }
    test::expect_losses_like_pytorch(c, reports);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ThreadLearnerTest,
                         testing::Combine(testing::Values("gpt2", "llama", "qwen2"), testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_threads_" +
                                  std::to_string(std::get<1>(test.param));
                         });

TEST(ThreadsPerSequence, LeaveNoneIdleThatCanBeUsed) {
  struct Split {
    std::size_t sequences;
    int length, threads, ranks, together;
  };
  for (const Split& c : {Split{32, 256, 1, 1, 1},    // none to share with
                         Split{32, 256, 16, 1, 1},   // all have as many
                         Split{31, 256, 8, 1, 1},    // nearly
                         Split{8, 1024, 16, 1, 2},   // half would be idle
                         Split{1, 1024, 6, 1, 6},    // all but one
                         Split{3, 1024, 2, 1, 2},    // one for a half of the time
                         Split{8, 1024, 12, 1, 3},   // 4 x 2 sequences
                         Split{32, 256, 12, 1, 3},   // 4 x 8
                         Split{8, 1024, 7, 1, 7},    // nothing else divides them
                         Split{8, 1024, 4, 4, 2},    // 16 threads in all
                         Split{1, 64, 16, 1, 4}}) {  // no fewer than 16 rows each
    constexpr std::size_t kFew = 1'000'000;
    EXPECT_EQ(threads_per_sequence(kFew, c.sequences, c.length, c.threads, c.ranks), c.together)
        << c.sequences << " sequences, " << c.threads << " threads";
  }
}

TEST(ThreadsPerSequence, ShareGradientsThatTakeMuchMemory) {
  struct Split {
    std::size_t parameters;
    int threads, together;
  };
  for (const Split& c : {Split{124'000'000, 8, 1},    // 8 x 0.5 GB
                         Split{124'000'000, 16, 2},   //
                         Split{350'000'000, 2, 1},    // 2 x 1.4 GB
                         Split{350'000'000, 16, 8},   //
                         Split{1'700'000'000, 2, 2},  // 6.8 GB
                         Split{1'700'000'000, 7, 7}}) {
    EXPECT_EQ(threads_per_sequence(c.parameters, 64, 1024, c.threads, 1), c.together)
        << c.parameters << " parameters, " << c.threads << " threads";
  }
}

TEST(ThreadLearner, EqualThreadsGiveEqualBytes) {
  OracleCase c = test::read_case("gpt2");
  for (const int threads : {2, 4}) {  // four share sequences, two have their own
    std::vector<UpdateReport> first = train(c, threads), second = train(c, threads);
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].loss, second[i].loss) << "step " << i;
  }
}

}  // namespace
}  // namespace btm
