#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/file_lock.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/data/bpe_train.h"
#include "btm/data/token_store.h"
#include "btm/model/checkpoint.h"
#include "btm/train/dev_loss.h"
#include "btm/train/metrics.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"
#include "btm/train/run_training.h"
#include "btm/train/score.h"
#include "btm/train/text_scorer.h"
#include "tests/train/run_fixture.h"

namespace btm {
namespace {

using testing::HasSubstr;

void expect_refused(const fs::path& run, const TrainingJob& job, const std::string& message) {
  try {
    test::train(run, job);
    ADD_FAILURE() << "trained in spite of: " << message;
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), HasSubstr(message));
  }
  EXPECT_FALSE(fs::exists(run / "model"));
  EXPECT_FALSE(fs::exists(run / "result.json"));
}

TEST(Trainer, LeavesWhatItPromises) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.training.checkpoint_minutes = 0;  // one after each update, so that there are some to go
  fs::path run = folder / "run";
  TrainingResult result = test::train(run, job);
  EXPECT_EQ(result.updates, 12);
  EXPECT_EQ(result.tokens, 12 * 64);
  EXPECT_DOUBLE_EQ(result.flops, 12 * 64 * 3 * forward_flops_per_token(job.model));
  EXPECT_GT(result.device_seconds, 0);
  EXPECT_EQ(result.precision, to_word(precision_of(operands_of(job.training.precision))));

  std::vector<Json> lines = test::read_lines(run / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 12u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["update"], i + 1);
    EXPECT_EQ(lines[i]["tokens"], (i + 1) * 64);
    EXPECT_EQ(lines[i].contains("dev_loss"), i == 4 || i == 9 || i == 11) << "dev_every is 5";
  }
  EXPECT_NEAR(lines[0]["loss"], std::log(64), 0.3) << "random weights know nothing";
  EXPECT_LT(lines[11]["loss"].get<double>(), lines[0]["loss"].get<double>());
  EXPECT_EQ(lines[11]["dev_loss"], result.dev_loss);
  EXPECT_EQ(load_status(run)->state, RunPhase::done);
  EXPECT_EQ(load_status(run)->update, 12);
  EXPECT_FALSE(fs::exists(run / "checkpoints"));
  EXPECT_EQ(load_model(run / "model").config.vocab_size, 64);
}

TEST(Trainer, DevLossIsTheMeanOverDomains) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  double found = test::train(folder / "run", job).dev_loss, expected = 0;
  Model model = load_model(folder / "run/model");
  for (const auto& data : job.data) {
    TokenStore store(fs::path(data.folder) / "dev");
    std::vector<TokenId> tokens(static_cast<std::size_t>(store.tokens()));
    store.copy_stream(0, tokens);
    std::vector<float> log_probs(scored_windows(tokens.size(), job.model.context) *
                                 static_cast<std::size_t>(job.model.context));
    make_text_scorer(model, job.model.context, {.precision = job.training.precision})->score(tokens, log_probs);
    double sum = 0;
    for (float x : log_probs) sum -= static_cast<double>(x);
    expected += sum / static_cast<double>(log_probs.size()) / 2;
  }
  EXPECT_NEAR(found, expected, 1e-9);
}

TEST(DevLoss, HasTheSameBytesHoweverManyAreAbreast) {
  const test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  test::write_domain(folder / "long", job.model.vocab_size, 900, 20'000, 5);
  job.data = {{"long", (folder / "long").string(), ""}};
  job.model.context = 7;
  job.training.dev_tokens = 20'000;
  const Model model = random_model(job.model, 1);
  const auto measure = [&](int threads) {
    const auto scorer = make_text_scorer(model, 7, {.threads = threads, .precision = Precision::fp32});
    const auto score = [&](int, int, auto tokens, auto log_probs) { scorer->score(tokens, log_probs); };
    return DevLoss(job).measure(threads, score, nullptr);
  };
  EXPECT_EQ(measure(3), measure(1));
}

TEST(DevLoss, IsOfAsManyTokensAsAskedFor) {
  const test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);  // of 100 dev tokens a domain
  for (const auto& [asked, scored] : {std::pair(40, 32), {48, 48}, {99, 96}, {1000, 96}, {5, 5}}) {
    job.training.dev_tokens = asked;
    DevLoss dev(job);
    EXPECT_EQ(dev.tokens(), 2 * std::min(asked, 99));
    std::vector<std::vector<TokenId>> seen(2);
    dev.measure(
        1,
        [&](int domain, int, std::span<const TokenId> tokens, std::span<float> log_probs) {
          std::vector<TokenId>& own = seen[static_cast<std::size_t>(domain)];
          own.insert(own.end(), tokens.begin() + (own.empty() ? 0 : 1), tokens.end());
          std::ranges::fill(log_probs, -1.0f);
        },
        nullptr);
    for (std::size_t i = 0; i < 2; ++i) {
      std::vector<TokenId> expected(static_cast<std::size_t>(scored) + 1);
      TokenStore(fs::path(job.data[i].folder) / "dev").copy_stream(0, expected);
      EXPECT_EQ(seen[i], expected) << asked;
    }
  }
}

// Ten times in all, or as often as costs a twentieth of the training: scoring a token, a third of training on one.
TEST(Trainer, ChoosesHowOftenItMeasuresTheDevLoss) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.training.dev_every = 0;
  job.tokens = 45 * 64;
  const auto measured = [&](int dev_tokens, const char* name) {
    job.training.dev_tokens = dev_tokens;
    test::train(folder / name, job);
    std::vector<std::int64_t> updates;
    for (const Json& line : test::read_lines(folder / name / "metrics.jsonl")) {
      if (line.contains("dev_loss")) updates.push_back(line["update"]);
    }
    return updates;
  };
  EXPECT_THAT(measured(1, "few"), testing::ElementsAre(4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 45));
  EXPECT_THAT(measured(98, "many"), testing::ElementsAre(19, 38, 45));  // 2 x 98 / 3 / 69 / 0.05 = 18.9
}

TEST(Trainer, TwoThreadsAgreeWithOne) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  test::train(folder / "one", job);
  job.threads = 2;
  test::train(folder / "two", job);
  test::train(folder / "again", job);
  std::vector<Json> one = test::read_lines(folder / "one/metrics.jsonl");
  std::vector<Json> two = test::read_lines(folder / "two/metrics.jsonl");
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(one[i]["loss"].get<double>(), two[i]["loss"].get<double>(), 1e-4) << "update " << i + 1;
  }
  EXPECT_EQ(weights_sha256(folder / "two/model"), weights_sha256(folder / "again/model"));
}

TEST(Trainer, PutsTheTokenizerBesideTheWeights) {
  test::TemporaryFolder folder;
  Tokenizer tokenizer =
      train_bpe([](const auto& take) { take("a tale of a tail that was as tall as a sail"); }, 262, 1);
  make_folders(folder / "tokenizer");
  tokenizer.save(folder / "tokenizer");
  folder.write("tokenizer/tokenizer_config.json", R"({"as": "the user made it"})");
  TrainingJob job = test::small_job(folder);
  job.tokenizer = (folder / "tokenizer").string();
  expect_refused(folder / "small", job, "the tokenizer has 262 tokens, the model only 64");

  job.model.vocab_size = 262;
  test::train(folder / "run", job);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
    EXPECT_EQ(test::read(folder.path() / "run/model" / file), test::read(folder.path() / "tokenizer" / file)) << file;
  }
  Json config = Json::parse(test::read(folder / "run/model/config.json"));
  EXPECT_EQ(config["eos_token_id"], tokenizer.end_of_text());
}

TEST(Trainer, DoneIsDone) {
  test::TemporaryFolder folder;
  fs::path run = folder / "run";
  TrainingResult first = test::train(run, test::small_job(folder));
  auto written = fs::last_write_time(run / "model/model.safetensors");
  TrainingResult second = run_training(run, {.quiet = true});
  EXPECT_EQ(settings_json(first), settings_json(second));
  EXPECT_EQ(fs::last_write_time(run / "model/model.safetensors"), written);
}

// What a killed process left half-written, here and in checkpoints/.
void leave_torn_files(const fs::path& run) {
  for (const fs::path& folder : {run, run / "checkpoints"}) {
    make_folders(folder / "x.1.tmp");
    write_file(folder / "x.1.tmp/parameters.bin", "torn");
  }
}

bool has_torn_files(const fs::path& run) {
  return fs::exists(run / "x.1.tmp") || fs::exists(run / "checkpoints/x.1.tmp");
}

TEST(Trainer, RemovesWhatAKilledProcessLeft) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  leave_torn_files(folder / "run");
  test::train(folder / "run", job);
  EXPECT_FALSE(has_torn_files(folder / "run"));

  leave_torn_files(folder / "run");  // of one killed when it was done
  run_training(folder / "run", {.quiet = true});
  EXPECT_FALSE(has_torn_files(folder / "run"));
  EXPECT_FALSE(fs::exists(folder / "run/checkpoints"));

  job.training.learning_rate = 1e30;
  job.training.clip = 0;
  job.training.checkpoint_minutes = 0;
  leave_torn_files(folder / "other");
  expect_refused(folder / "other", job, "lower training.learning_rate");
  EXPECT_TRUE(fs::exists(folder / "other/checkpoints")) << "not done yet";
  EXPECT_FALSE(has_torn_files(folder / "other")) << "they go before the training";
}

TEST(Trainer, AStatusThatCantBeReadStopsNothing) {
  test::TemporaryFolder folder;
  make_folders(folder / "run");
  folder.write("run/status.json", "{\"upd");
  EXPECT_EQ(test::train(folder / "run", test::small_job(folder)).updates, 12);
}

TEST(Trainer, GoesOnFromTheWeightsGiven) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  test::train(folder / "first", job);
  job.init = (folder / "first/model").string();
  job.init_sha256 = weights_sha256(job.init);
  test::train(folder / "second", job);
  double last = test::read_lines(folder / "first/metrics.jsonl").back()["loss"];
  double next = test::read_lines(folder / "second/metrics.jsonl").front()["loss"];
  EXPECT_NEAR(next, last, 0.5);

  job.init_sha256 = std::string(64, '0');
  expect_refused(folder / "third", job, "these are not the weights of run.yaml");
  job.model.layers = 3;
  expect_refused(folder / "fourth", job, "model.layers is 2 there and 3 in run.yaml");
  job.init = (folder / "nowhere").string();
  expect_refused(folder / "fifth", job, "nowhere");
}

TEST(Trainer, RefusesOtherData) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.data[1].train_sha256 = std::string(64, '0');
  expect_refused(folder / "run", job, "domain two: the train tokens in");
  job.data[1].train_sha256.clear();
  job.data[1].folder = (folder / "nowhere").string();
  expect_refused(folder / "run", job, "nowhere");
}

TEST(Trainer, RefusesTokensOfALargerVocabulary) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  test::write_domain(folder / "large", 500, 900, 100, 7);
  job.data[0].folder = (folder / "large").string();
  expect_refused(folder / "run", job, "made with another tokenizer");
}

TEST(Trainer, SaysWhenTheLossIsNotFinite) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.training.learning_rate = 1e30;
  job.training.clip = 0;
  expect_refused(folder / "run", job, "lower training.learning_rate");
  EXPECT_EQ(load_status(folder / "run")->state, RunPhase::failed);
}

// What the last update does is seen by no other.
TEST(Trainer, SaysWhenTheLastUpdateLeftNothingThatIsFinite) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.tokens = 64;
  job.training.learning_rate = 1e12;  // weights that are finite, of which nothing else is
  expect_refused(folder / "run", job, "dev loss is not finite after update 1 of 1; lower training.learning_rate");
  EXPECT_EQ(load_status(folder / "run")->state, RunPhase::failed);
  EXPECT_EQ(read_file(folder / "run/metrics.jsonl"), "");
}

// Where a pass ends in so few rows that products of their own take them (few_rows.h), too.
TEST(Trainer, GivesTheSameBytesWithRecomputation) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.training.precision = Precision::fp32;
  for (const int sequences : {1, 4, 257}) {
    job.model.context = sequences == 257 ? 1 : 8;
    job.training.batch_tokens = sequences * job.model.context;
    job.tokens = 2 * job.training.batch_tokens;
    std::vector<std::string> weights;
    for (const bool recompute : {false, true}) {
      job.training.recompute = recompute;
      const fs::path run = folder / fmt::format("{} {}", sequences, recompute);
      test::train(run, job);
      weights.push_back(read_file(run / "model/model.safetensors"));
    }
    EXPECT_TRUE(weights[0] == weights[1]) << sequences;
  }
}

TEST(Trainer, OneAtATime) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  save_job(folder / "run", job);
  FileLock lock(folder / "run/lock", "this test");
  expect_refused(folder / "run", job, "already at work");
}

TEST(Trainer, TakesTheJobAsItIsWhenItsTurnComes) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  save_job(folder / "run", job);
  std::optional<FileLock> lock(std::in_place, folder / "run/lock", "this test");
  TrainingResult result;
  std::thread waiter([&] { result = run_training(folder / "run", {.quiet = true, .busy = FileLock::Busy::wait}); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  job.tokens /= 2;
  save_job(folder / "run", job);
  lock.reset();
  waiter.join();
  EXPECT_EQ(result.tokens, planned_result(job).tokens);
}

TEST(Trainer, OtherThreadsAreWrittenByWhoeverTrains) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  save_job(folder / "run", job);
  {
    FileLock lock(folder / "run/lock", "this test");
    EXPECT_THROW(run_training(folder / "run", {.quiet = true, .threads = job.threads + 1}), Error);
  }
  EXPECT_EQ(load_job(folder / "run").threads, job.threads);
  EXPECT_EQ(run_training(folder / "run", {.quiet = true, .threads = job.threads + 1}).threads, job.threads + 1);
}

TEST(MetricsFile, SaysWhereItsLinesAreNotTheCheckpoints) {
  const test::TemporaryFolder folder;
  const std::string first = "{\"update\":1}\n", lines = first + "{\"update\":2}\n";
  const auto said = [&](std::int64_t bytes, const std::string& written) {
    folder.write("metrics.jsonl", lines);
    Xxh3 hash;
    hash.update(written);
    testing::internal::CaptureStderr();
    MetricsFile(folder / "metrics.jsonl", bytes, hash.hex(), folder.path());
    return testing::internal::GetCapturedStderr();
  };
  const auto size = static_cast<std::int64_t>(first.size());
  EXPECT_EQ(said(size, first), "");
  EXPECT_EQ(test::read(folder / "metrics.jsonl"), first) << "the rest is written again";
  EXPECT_THAT(said(size, lines), HasSubstr("not what was written"));
  EXPECT_THAT(said(100, lines), HasSubstr("lines are missing"));
  EXPECT_EQ(test::read(folder / "metrics.jsonl"), lines);
}

// A run that failed at its end, whose checkpoints of half the way are there.
TEST(Trainer, GoesOnWithOtherThreadsWhereItStopped) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  test::train(folder / "first", job);
  job.init = (folder / "first/model").string();
  job.training.checkpoint_minutes = 0;
  job.training.keep_checkpoints = 12;
  test::train(folder / "whole", job);
  const std::string generation = test::read(folder / "first/model/generation_config.json");
  folder.write("first/model/generation_config.json", "{");  // which the new model would have, too
  expect_refused(folder / "run", job, "generation_config.json");
  for (int update = 6; update < 12; ++update) fs::remove_all(folder / fmt::format("run/checkpoints/{}", update));
  const std::vector<Json> before = test::read_lines(folder / "run/metrics.jsonl");
  ASSERT_EQ(before.size(), 12u);

  testing::internal::CaptureStderr();
  EXPECT_THROW(run_training(folder / "run", {.quiet = true, .threads = 2}), Error);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("began with 1 threads in"));
  folder.write("first/model/generation_config.json", generation);
  testing::internal::CaptureStderr();
  const TrainingResult result = run_training(folder / "run", {.quiet = true});
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::Not(HasSubstr("began with"))) << "it was told before";
  EXPECT_EQ(result.threads, 2);
  const std::vector<Json> after = test::read_lines(folder / "run/metrics.jsonl"),
                          whole = test::read_lines(folder / "whole/metrics.jsonl");
  ASSERT_EQ(after.size(), 12u);
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i] == before[i], i < 5) << "update " << i + 1;  // times and speeds tell one training from another
    EXPECT_EQ(after[i]["update"], i + 1);
    EXPECT_NEAR(after[i]["loss"].get<double>(), whole[i]["loss"].get<double>(), 1e-4) << "update " << i + 1;
  }
  EXPECT_NEAR(result.dev_loss, load_result(folder / "whole")->dev_loss, 1e-4);
}

TEST(Trainer, DomainsOfOneNameAreRefused) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.data.push_back(job.data.front());
  expect_refused(folder / "run", job, "twice");
}

TEST(Trainer, NeedsARunYaml) {
  test::TemporaryFolder folder;
  try {
    run_training(folder / "run", {.quiet = true});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), HasSubstr("run.yaml"));
  }
}

}  // namespace
}  // namespace btm
