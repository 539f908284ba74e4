#include "btm/train/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/hash.h"
#include "btm/train/job_check.h"
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

TEST(Job, CheckpointsAreMinutesApart) {
  TrainingSettings training;
  training.checkpoint_minutes = 5;
  EXPECT_FALSE(checkpoint_due(training, 299));
  EXPECT_TRUE(checkpoint_due(training, 300));
  training.checkpoint_minutes = 0;
  EXPECT_TRUE(checkpoint_due(training, 0)) << "after each update";
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

// Whoever began a run with an older version goes on with this one: a checkpoint of another identity is refused. So this
// one must never change; a new setting stays out of it as long as it has its default.
TEST(Job, IdentityIsTheSameInAllVersions) {
  TrainingJob job;
  job.name = "python";
  job.init = "/forest/seed";
  job.init_sha256 = "abc";
  job.model.layers = 2;
  job.model.width = 32;
  job.model.heads = 4;
  job.model.context = 16;
  job.model.vocab_size = 64;
  job.model = resolve(job.model);
  job.tokens = 1000;
  job.data = {{"one", "/forest/tokens/one", "def"}, {"two", "/forest/tokens/two", "012"}};
  job.threads = 3;
  // What is hashed, from `printf %s ... | sha256sum`.
  const std::string text =
      R"({"init_sha256":"abc",)"
      R"("model":{"architecture":"gpt2","layers":2,"width":32,"heads":4,"kv_heads":4,)"
      R"("hidden":128,"context":16,"vocab_size":64,"tied_embeddings":true,"norm_epsilon":1e-05,"rope_theta":10000.0},)"
      R"("training":{"batch_tokens":8192,"learning_rate":0.002,"final_learning_rate":0.1,)"
      R"("warmup":0.08,"schedule":"cosine","power":1.0,"weight_decay":0.1,"beta1":0.9,)"
      R"("beta2":0.95,"epsilon":1e-08,"clip":1.0,"precision":"auto","recompute":false,"random_seed":1},)"
      R"("tokens":1000,)"
      R"("data":[{"domain":"one","train_sha256":"def"},{"domain":"two","train_sha256":"012"}],)"
      R"("part":0,"parts":1,"demix":false})";
  const std::string identity = "7a2af1add42e0fdc1093efeded3a69f5ab7fc2745f7b1b3d78b1397fe4afa806";
  EXPECT_EQ(sha256_hex(text), identity);
  EXPECT_EQ(job_sha256(job), identity);
  job.first_round = 5;
  EXPECT_NE(job_sha256(job), identity);
}

TEST(Job, RefusesWhatCantBe) {
  test::TemporaryFolder folder;
  const TrainingJob job = test::small_job(folder);
  const std::vector<std::pair<std::function<void(TrainingJob&)>, std::string>> cases = {
      {[](TrainingJob& j) { j.tokens = 63; }, "less than one update"},
      {[](TrainingJob& j) { j.training.batch_tokens = 15; }, "less than one sequence"},
      {[](TrainingJob& j) { j.training.learning_rate = -1; }, "training.learning_rate is -1"},
      {[](TrainingJob& j) { j.training.learning_rate = 1e39; }, "training.learning_rate is 1e+39"},
      {[](TrainingJob& j) { j.training.epsilon = 1e-60; }, "training.epsilon is 1e-60"},
      {[](TrainingJob& j) { j.training.weight_decay = 1e300; }, "training.weight_decay is 1e+300"},
      {[](TrainingJob& j) { j.tokens = j.training.batch_tokens = 1LL << 40; }, "too many for one update"},
      {[](TrainingJob& j) { j.training.warmup = 8; }, "training.warmup is 8"},
      {[](TrainingJob& j) { j.training.beta1 = 1; }, "training.beta1 is 1"},
      {[](TrainingJob& j) { j.training.keep_checkpoints = 0; }, "training.keep_checkpoints is 0"},
      {[](TrainingJob& j) { j.threads = 0; }, "threads is 0"},
      {[](TrainingJob& j) { j.gpu_share = 0; }, "gpu_share is 0"},
      {[](TrainingJob& j) { j.data.clear(); }, "no domain"},
      {[](TrainingJob& j) { j.trainer = "train {inti} {output}"; }, "{inti} is not known"},
      {[](TrainingJob& j) { j.trainer = "train {output}", j.demix = true; }, "demix is for btm's own training"},
      {[](TrainingJob& j) { j.trainer = "train {output}", j.parts = 2; }, "a part of data is for btm's own training"},
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
