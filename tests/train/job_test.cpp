#include "btm/train/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "btm/core/error.h"
#include "tests/train/run_fixture.h"

namespace btm {
namespace {

using testing::HasSubstr;

TEST(Job, ComesBackFromRunYamlAsItWas) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.training.learning_rate = 0.1 + 0.2;  // needs all its digits
  job.init = "some where/it's";
  save_job(folder / "run", job);
  TrainingJob found = load_job(folder / "run");
  EXPECT_EQ(settings_json(found), settings_json(job));
  EXPECT_EQ(found.training.learning_rate, job.training.learning_rate);
  EXPECT_EQ(job_sha256(found), job_sha256(job));
}

TEST(Job, CountsWholeSequencesAndUpdates) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  EXPECT_EQ(batch_sequences(job), 4);
  EXPECT_EQ(update_count(job), 12);
}

TEST(Job, IdentityIsOfWhatTheWeightsDependOn) {
  test::TemporaryFolder folder;
  const TrainingJob job = test::small_job(folder);
  auto with = [&](const std::function<void(TrainingJob&)>& change) {
    TrainingJob changed = job;
    change(changed);
    return job_sha256(changed);
  };
  const std::string same = job_sha256(job);
  EXPECT_EQ(same, with([](TrainingJob& j) { j.name = "other"; }));
  EXPECT_EQ(same, with([](TrainingJob& j) { j.data[0].folder = "/moved"; }));
  EXPECT_EQ(same, with([](TrainingJob& j) { j.training.checkpoint_minutes = 1; }));
  EXPECT_EQ(same, with([](TrainingJob& j) { j.tensorboard = "elsewhere"; }));
  EXPECT_EQ(same, with([](TrainingJob& j) { j.training.recompute = true; }));
  EXPECT_NE(same, with([](TrainingJob& j) { j.first_round = 1; }));
  EXPECT_NE(same, with([](TrainingJob& j) { j.tokens *= 2; }));
  EXPECT_NE(same, with([](TrainingJob& j) { j.training.beta2 = 0.99; }));
  EXPECT_NE(same, with([](TrainingJob& j) { j.data[0].train_sha256 = "other"; }));
  EXPECT_NE(same, with([](TrainingJob& j) { j.init_sha256 = "other"; }));
}

TEST(Job, RefusesWhatCantBe) {
  test::TemporaryFolder folder;
  const TrainingJob job = test::small_job(folder);
  const std::vector<std::pair<std::function<void(TrainingJob&)>, std::string>> cases = {
      {[](TrainingJob& j) { j.tokens = 63; }, "less than one update"},
      {[](TrainingJob& j) { j.training.batch_tokens = 15; }, "less than one sequence"},
      {[](TrainingJob& j) { j.training.learning_rate = -1; }, "training.learning_rate is -1"},
      {[](TrainingJob& j) { j.training.warmup = 8; }, "training.warmup is 8"},
      {[](TrainingJob& j) { j.training.beta1 = 1; }, "training.beta1 is 1"},
      {[](TrainingJob& j) { j.training.keep_checkpoints = 0; }, "training.keep_checkpoints is 0"},
      {[](TrainingJob& j) { j.threads = 0; }, "threads is 0"},
      {[](TrainingJob& j) { j.gpu_share = 0; }, "gpu_share is 0"},
      {[](TrainingJob& j) { j.data.clear(); }, "no domain"},
  };
  check_job(job);
  for (const auto& [change, message] : cases) {
    TrainingJob changed = job;
    change(changed);
    try {
      check_job(changed);
      ADD_FAILURE() << message;
    } catch (const Error& e) {
      EXPECT_EQ(e.cause(), Cause::input);
      EXPECT_THAT(e.what(), HasSubstr(message));
    }
  }
}

}  // namespace
}  // namespace btm
