// Training on the GPU against PyTorch's losses in float32 and against training on the CPU.
#include <cuda_runtime.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/model/checkpoint.h"
#include "btm/train/cuda_learner.h"
#include "btm/train/score.h"
#include "btm/train/staged_cuda.h"
#include "btm/train/text_loss.h"
#include "btm/train/text_scorer.h"
#include "btm/train/thread_learner.h"
#include "tests/cuda/on_device.h"
#include "tests/cuda/small_model.h"
#include "tests/train/oracle_case.h"

namespace btm {
namespace {

using test::emulated;
using test::OracleCase;

const Ranks kAlone;

// Of gradients through products of 8 bits: within 5 % of the slice's length.
void expect_alike(const ParameterSlice& slice, std::span<const float> found, std::span<const float> expected) {
  double error = 0, size = 0;
  for (std::int64_t i = slice.offset; i < slice.offset + slice.size; ++i) {
    const auto at = static_cast<std::size_t>(i);
    error += std::pow(found[at] - expected[at], 2);
    size += std::pow(expected[at], 2);
  }
  EXPECT_LT(std::sqrt(error), 0.05 * std::sqrt(size) + 1e-7) << slice.name;
}

class CudaLearnerTest : public testing::TestWithParam<const char*> {};

TEST_P(CudaLearnerTest, LearnsAsPyTorchDoes) {
  OracleCase c = test::read_case(GetParam());
  Model model = load_model(c.folder / "init");
  const auto updates = static_cast<int>(c.steps.size());
  const auto learner = make_cuda_learner(model, c.settings, c.sequences, updates, kAlone, nullptr);
  test::expect_losses_like_pytorch(c, test::train(*learner, c, emulated() ? 60 : updates));  // 0.1 s each there
}

// The gradients themselves, before rounding errors grow: one update without AdamW's normalisation by its moments.
TEST_P(CudaLearnerTest, ItsGradientsAreTheCpus) {
  OracleCase c = test::read_case(GetParam());
  c.settings.warmup = 0;
  c.settings.beta1 = 0;  // so that the first moment is the gradient
  c.settings.clip = 0;
  c.settings.precision = Precision::fp32;
  Model on_gpu = load_model(c.folder / "init"), on_cpu = load_model(c.folder / "init");
  const auto learner = make_cuda_learner(on_gpu, c.settings, c.sequences, 1, kAlone, nullptr);
  ThreadTeam team(1);
  ThreadLearner expected(on_cpu, c.settings, c.sequences, 1, team, kAlone);
  const UpdateReport there = test::train(*learner, c, 1)[0], here = test::train(expected, c, 1)[0];
  EXPECT_NEAR(there.loss, here.loss, 2e-3 * here.loss);
  EXPECT_NEAR(there.gradient_norm, here.gradient_norm, 5e-3 * here.gradient_norm);
  learner->to_host();
  for (const ParameterSlice& slice : parameter_layout(on_cpu.config)) {
    expect_alike(slice, learner->mean(), expected.mean());
  }
}

TEST_P(CudaLearnerTest, RecomputingGivesTheSameBytes) {
  OracleCase c = test::read_case(GetParam());
  Model kept = load_model(c.folder / "init"), again = load_model(c.folder / "init");
  const auto one = make_cuda_learner(kept, c.settings, c.sequences, 4, kAlone, nullptr);
  c.settings.recompute = true;
  const auto other = make_cuda_learner(again, c.settings, c.sequences, 4, kAlone, nullptr);
  test::train(*one, c, 4);
  test::train(*other, c, 4);
  one->to_host();
  other->to_host();
  EXPECT_TRUE(std::ranges::equal(kept.parameters.span(), again.parameters.span()));
}

TEST_P(CudaLearnerTest, GoesOnFromTheHostsArraysWithTheSameBytes) {
  const OracleCase c = test::read_case(GetParam());
  Model whole = load_model(c.folder / "init"), parted = load_model(c.folder / "init");
  const auto through = make_cuda_learner(whole, c.settings, c.sequences, 6, kAlone, nullptr);
  test::train(*through, c, 6);
  through->to_host();
  const auto before = make_cuda_learner(parted, c.settings, c.sequences, 6, kAlone, nullptr);
  test::train(*before, c, 3);
  before->to_host();
  const auto after = make_cuda_learner(parted, c.settings, c.sequences, 6, kAlone, nullptr);
  std::ranges::copy(before->mean(), after->mean().begin());
  std::ranges::copy(before->square(), after->square().begin());
  after->from_host();
  test::train(*after, c, 6, 3);
  after->to_host();
  EXPECT_TRUE(std::ranges::equal(whole.parameters.span(), parted.parameters.span()));
}

TEST_P(CudaLearnerTest, ScoresAsTheCpuDoes) {
  const OracleCase c = test::read_case(GetParam());
  Model model = load_model(c.folder / "init");
  const auto learner = make_cuda_learner(model, c.settings, c.sequences, 1, kAlone, nullptr);
  ThreadTeam team(1);
  const std::vector<TokenId> tokens(c.tokens.begin(), c.tokens.begin() + 200);
  for (const int window : {model.config.context, 7}) {
    const std::size_t count = scored_windows(tokens.size(), window) * static_cast<std::size_t>(window);
    for (int again = 0; again < 3; ++again) {  // at once, recorded, and from the graph
      std::vector<float> found(count), expected(count);
      learner->score(0, window, tokens, found);
      Scorer(model.config, window, team).score(model.parameters.data(), tokens, expected);
      for (std::size_t i = 0; i < count; ++i) EXPECT_NEAR(found[i], expected[i], 0.03) << i;
    }
  }
}

// Of several texts, in windows of the whole context and shorter ones.
TEST_P(CudaLearnerTest, ItsTextScorerScoresAsTheCpusDoes) {
  const OracleCase c = test::read_case(GetParam());
  const Model model = load_model(c.folder / "init");
  const int context = model.config.context;
  const test::LittleMemory memory;
  for (const auto& [window, sizes] : {std::pair(context, std::vector{200, 1, 50}), std::pair(7, std::vector{31})}) {
    const auto there = make_text_scorer(model, window, {Device::cuda, 1, Precision::automatic}),
               here = make_text_scorer(model, window, {});
    for (const int size : sizes) {
      const std::vector<TokenId> tokens(c.tokens.begin(), c.tokens.begin() + size);
      std::vector<float> found(scored_windows(tokens.size(), window) * static_cast<std::size_t>(window));
      std::vector<float> expected(found.size());
      there->score(tokens, found);
      here->score(tokens, expected);
      for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 0.03) << size << " " << i;
    }
  }
}

// Of a text of two calls, of which the second isn't full, with a rest that counts nowhere; at once, recorded, and from
// the graph.
TEST_P(CudaLearnerTest, ItsTextLossIsTheCpus) {
  const OracleCase c = test::read_case(GetParam());
  const Model model = load_model(c.folder / "init");
  const int window = model.config.context;
  const test::LittleMemory memory;
  for (const auto use : {Transformer::Use::scoring, Transformer::Use::training}) {
    const int most = cuda::sequences_at_once(model.config, window, use);
    std::vector<TokenId> tokens(static_cast<std::size_t>((most + most / 2) * window + 5));
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = c.tokens[i % c.tokens.size()];
    const auto there = make_text_loss(model.config, window, tokens, use, {Device::cuda, 1, Precision::automatic}),
               here = make_text_loss(model.config, window, tokens, use, {});
    Buffer found(model.parameters.size()), expected(model.parameters.size());
    const auto gradient = [use](Buffer& all) {
      return use == Transformer::Use::training ? all.span() : std::span<float>();
    };
    const double loss = here->of(model.parameters.span(), gradient(expected));
    for (int again = 0; again < 3; ++again) {
      EXPECT_NEAR(there->of(model.parameters.span(), gradient(found)), loss, 2e-3);
      double difference = 0, square = 0;
      for (std::size_t i = 0; i < found.size(); ++i) {
        difference += std::pow(double(found.data()[i]) - expected.data()[i], 2);
        square += std::pow(double(expected.data()[i]), 2);
      }
      EXPECT_LE(std::sqrt(difference), 0.02 * std::sqrt(square));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, CudaLearnerTest, testing::Values("gpt2", "llama", "qwen2"),
                         [](const auto& test) { return std::string(test.param); });

// Calls of one domain each, of which the second isn't full; three updates: at once, recorded, from the graphs.
TEST(CudaLearner, TrainsDemixAsTheCpuDoes) {
  constexpr int kUpdates = 3;
  const Model plain = random_model(test::small_config(), 1);
  const DemixLayout layout(plain.config, 2);
  Model on_gpu{plain.config, demix_parameters(layout, plain)}, on_cpu{plain.config, demix_parameters(layout, plain)};
  const std::vector<int> domains = {0, 0, 0, 1};
  TrainingSettings settings;
  settings.precision = Precision::fp32;
  settings.beta1 = 0;  // so that the first moment is the last gradient
  ThreadTeam team(1);
  const auto learner = make_cuda_learner(on_gpu, settings, 4, kUpdates, kAlone, &layout);
  ThreadLearner expected(on_cpu, settings, 4, kUpdates, team, kAlone, &layout);
  for (int update = 0; update < kUpdates; ++update) {
    const UpdateReport there = test::learn_random_batch(*learner, domains, update);
    const UpdateReport here = test::learn_random_batch(expected, domains, update);
    EXPECT_NEAR(there.loss, here.loss, 2e-3 * here.loss);
    EXPECT_NEAR(there.gradient_norm, here.gradient_norm, 0.01 * here.gradient_norm);
    learner->to_host();
    for (const ParameterSlice& slice : layout.slices) expect_alike(slice, learner->mean(), expected.mean());
  }
}

TEST(CudaLearner, ABatchPreparedWhileTheGpuWorksGivesTheSameBytes) {
  constexpr int kUpdates = 4;
  const Model plain = random_model(test::small_config(), 1);
  const DemixLayout layout(plain.config, 2);
  Model model{plain.config, demix_parameters(layout, plain)}, other{plain.config, demix_parameters(layout, plain)};
  const std::vector<std::vector<int>> domains = {{0, 0, 1, 1}, {0, 0, 0, 1}, {1, 1, 1, 1}, {0, 1, 1, 1}};
  const auto expected = make_cuda_learner(model, {}, 4, kUpdates, kAlone, &layout);
  const auto learner = make_cuda_learner(other, {}, 4, kUpdates, kAlone, &layout);
  test::Batch batch = test::random_batch(4, 0), next;
  for (int update = 0; update < kUpdates; ++update) {
    test::learn_random_batch(*expected, domains[update], update);
    learner->learn(batch.inputs, batch.targets, domains[update], update, [&] {
      if (update + 1 == kUpdates) return;
      next = test::random_batch(4, update + 1);
      learner->prepare(next.inputs, next.targets, domains[update + 1]);
    });
    std::swap(batch, next);
  }
  expected->to_host();
  learner->to_host();
  EXPECT_TRUE(std::ranges::equal(model.parameters.span(), other.parameters.span()));
}

TEST_P(CudaLearnerTest, TakesTheMemoryThatWasTold) {
  if (!emulated()) GTEST_SKIP() << "a GPU gives memory in pieces larger than this model";
  OracleCase c = test::read_case(GetParam());
  Model model = load_model(c.folder / "init");
  for (const bool recompute : {false, true}) {
    c.settings.recompute = recompute;
    std::size_t before = 0, after = 0, total = 0;
    cudaMemGetInfo(&before, &total);
    const auto learner = make_cuda_learner(model, c.settings, c.sequences, 1, kAlone, nullptr);
    cudaMemGetInfo(&after, &total);
    const auto told = static_cast<double>(cuda_learner_bytes(model.config, c.settings, c.sequences, 1, 1));
    const auto taken = static_cast<double>(before - after);
    EXPECT_LT(taken, 1.02 * told);
    EXPECT_GT(taken, 0.8 * told);
  }
}

// Eight domains of a sequence each: a call of one at a time.
TEST(CudaLearner, TakesForDemixTheMemoryThatWasTold) {
  if (!emulated()) GTEST_SKIP() << "a GPU gives memory in pieces larger than this model";
  const Model plain = random_model(test::small_config(), 1);
  const DemixLayout layout(plain.config, 8);
  Model model{plain.config, demix_parameters(layout, plain)};
  std::size_t before = 0, after = 0, total = 0;
  cudaMemGetInfo(&before, &total);
  const auto learner = make_cuda_learner(model, {}, 8, 1, kAlone, &layout);
  cudaMemGetInfo(&after, &total);
  const auto more = static_cast<double>(layout.size) - static_cast<double>(parameter_count(plain.config));
  const double told =
      static_cast<double>(cuda_learner_bytes(plain.config, {}, 8, 1, 8)) + kCudaBytesPerParameter * more;
  const auto taken = static_cast<double>(before - after);
  EXPECT_LT(taken, 1.02 * told);
  EXPECT_GT(taken, 0.8 * told);
}

TEST(DeviceFor, ChoosesTheGpuForWhatItCanDo) {
  EXPECT_EQ(device_for(Device::automatic, Precision::automatic), Device::cuda);
  EXPECT_EQ(device_for(Device::cuda, Precision::bf16), Device::cuda);
  EXPECT_EQ(device_for(Device::cpu, Precision::bf16), Device::cpu);
  for (const Precision precision : {Precision::fp32, Precision::int16}) {
    EXPECT_EQ(device_for(Device::automatic, precision), Device::cpu);
    EXPECT_THROW(device_for(Device::cuda, precision), Error);
  }
}

void expect_refused(const ModelConfig& config, const char* words) {
  Model model = random_model(config, 1);
  try {
    make_cuda_learner(model, {}, 1, 1, kAlone, nullptr);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), testing::HasSubstr(words));
  }
}

TEST(CudaLearner, RefusesAModelThatDoesNotFit) {
  if (!emulated()) GTEST_SKIP() << "no GPU is as small as the emulator's";
  ModelConfig config = test::small_config();
  config.vocab_size = 300'000;
  expect_refused(config, "training.recompute");
}

TEST(CudaLearner, RefusesShapesThatItsKernelsDoNotDo) {
  ModelConfig config;
  config.vocab_size = 100;
  config.width = 36;
  config.heads = 3;
  expect_refused(config, "model.width is 36");
}

}  // namespace
}  // namespace btm
