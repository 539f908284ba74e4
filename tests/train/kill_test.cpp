// Stopped at any point and started again, a run ends with the same bytes.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/random.h"
#include "btm/core/token.h"
#include "btm/model/checkpoint.h"
#include "btm/train/event_file.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"
#include "btm/train/run_training.h"
#include "tests/train/run_fixture.h"

extern char** environ;

namespace btm {
namespace {

using Milliseconds = std::chrono::milliseconds;

pid_t spawn(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ), 0);
  return child;
}

pid_t start(const fs::path& run) {
  return spawn({TRAIN_RUN_PROGRAM, run.string()});
}

// The same where no file can grow beyond some 50 kB: stands in for a full disk and needs no rights.
pid_t start_with_little_room(const fs::path& run) {
  return spawn({"/bin/sh", "-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$1\"", TRAIN_RUN_PROGRAM, run.string()});
}

// Whether the condition holds in time.
template <class Condition>
bool wait_until(std::chrono::seconds limit, const Condition& holds) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(Milliseconds(1));
  }
  return true;
}

// Waits until the run has as many whole checkpoints.
bool wait_for_checkpoints(const fs::path& run, int count) {
  return wait_until(std::chrono::minutes(1), [&] {
    int found = 0;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(run / "checkpoints", none))
      found += entry.path().extension() != ".tmp";
    return found >= count;
  });
}

// Waits until the run has this share of the metrics that the whole one has: by the clock alone a run that goes faster
// than that one would end before it is stopped.
void wait_for_metrics(const fs::path& run, double share, const fs::path& whole) {
  const double bytes = share * static_cast<double>(fs::file_size(whole / "metrics.jsonl"));
  wait_until(std::chrono::minutes(1), [&] {
    std::error_code none;
    const auto written = fs::file_size(run / "metrics.jsonl", none);
    return !none && static_cast<double>(written) >= bytes;
  });
}

bool wait_for_file(const fs::path& file) {
  return wait_until(std::chrono::seconds(10), [&] { return fs::exists(file); });
}

// The exit code, or minus the signal that ended it.
int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TrainingJob long_job(const test::TemporaryFolder& folder) {
  TrainingJob job = test::small_job(folder);
  job.tokens = 500 * 64;
  job.training.dev_every = 100;
  job.training.checkpoint_minutes = 0.0001;  // many, so that some are cut off in the middle
  return job;
}

std::vector<Json> without_times(std::vector<Json> lines) {
  for (Json& line : lines) {
    line.erase("tokens_per_second");
    line.erase("time");
  }
  return lines;
}

void expect_same_run(const fs::path& a, const fs::path& b) {
  EXPECT_EQ(weights_sha256(a / "model"), weights_sha256(b / "model"));
  EXPECT_EQ(without_times(test::read_lines(a / "metrics.jsonl")), without_times(test::read_lines(b / "metrics.jsonl")));
  EXPECT_EQ(load_result(a)->dev_loss, load_result(b)->dev_loss);
  EXPECT_EQ(test::read(event_file(b)), events_of(test::read(b / "metrics.jsonl")));
  EXPECT_EQ(fs::file_size(event_file(b)), fs::file_size(event_file(a)));
}

class Kill : public testing::TestWithParam<int> {};

TEST_P(Kill, EndsWithTheSameBytes) {
  const int signal = GetParam();
  test::TemporaryFolder folder;
  TrainingJob job = long_job(folder);
  save_job(folder / "whole", job);
  ASSERT_EQ(wait_for(start(folder / "whole")), 0);

  save_job(folder / "killed", job);
  constexpr int kStops = 4;
  Random random(static_cast<std::uint64_t>(signal));
  int stopped = 0, code = -1;
  for (int tries = 0; tries < 60 && code != 0; ++tries) {
    pid_t child = start(folder / "killed");
    if (stopped < kStops) {  // then it may go to its end
      wait_for_metrics(folder / "killed", (stopped + random.uniform()) / (2 * kStops), folder / "whole");
      std::this_thread::sleep_for(Milliseconds(random.below(20)));
      ::kill(child, signal);
    }
    code = wait_for(child);
    if (code == 0) break;
    ++stopped;
    // Before the handlers are in place every signal kills; afterwards the program says that it was interrupted.
    EXPECT_TRUE(code == -signal || (signal != SIGKILL && code == 130)) << code;
  }
  ASSERT_EQ(code, 0);
  EXPECT_GE(stopped, 1);
  expect_same_run(folder / "whole", folder / "killed");
  for (const auto& entry : fs::directory_iterator(folder / "killed")) EXPECT_NE(entry.path().extension(), ".tmp");
}

INSTANTIATE_TEST_SUITE_P(Signals, Kill, testing::Values(SIGTERM, SIGINT, SIGKILL), [](const auto& test) {
  return test.param == SIGTERM ? "SIGTERM" : test.param == SIGINT ? "SIGINT" : "SIGKILL";
});

// It is the longest part of this run, by far.
TEST(Resume, WithinTheLastDevLossGoesOnWithIt) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.tokens = 2 * 64;
  job.training.dev_tokens = 1'000'000;
  for (const TrainingData& data : job.data) test::write_domain(data.folder, job.model.vocab_size, 900, 300'000, 2);
  save_job(folder / "whole", job);
  ASSERT_EQ(wait_for(start(folder / "whole")), 0);
  save_job(folder / "stopped", job);
  const fs::path last_update = folder / "stopped/checkpoints/2/state.json";
  for (int milliseconds = 100; !fs::exists(last_update) && milliseconds < 5000; milliseconds *= 2) {
    fs::remove(folder / "stopped/status.json");
    const pid_t child = start(folder / "stopped");  // a stop before the last update was too early: it goes on
    while (!fs::exists(folder / "stopped/status.json")) std::this_thread::sleep_for(Milliseconds(1));
    std::this_thread::sleep_for(Milliseconds(milliseconds));
    ::kill(child, SIGTERM);
    ASSERT_EQ(wait_for(child), 130);
  }
  ASSERT_TRUE(fs::exists(last_update));
  EXPECT_EQ(test::read_lines(folder / "stopped/metrics.jsonl").size(), 1);
  ASSERT_EQ(wait_for(start(folder / "stopped")), 0);
  expect_same_run(folder / "whole", folder / "stopped");
}

TEST(Resume, AfterABrokenCheckpointTheOneBeforeIsUsed) {
  test::TemporaryFolder folder;
  TrainingJob job = long_job(folder);
  save_job(folder / "whole", job);
  ASSERT_EQ(wait_for(start(folder / "whole")), 0);
  save_job(folder / "killed", job);
  pid_t child = start(folder / "killed");
  fs::path checkpoints = folder / "killed/checkpoints";
  ASSERT_TRUE(wait_for_checkpoints(folder / "killed", 2));
  ::kill(child, SIGKILL);
  ASSERT_EQ(wait_for(child), -SIGKILL);
  std::int64_t newest = 0;
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    if (entry.path().extension() != ".tmp") newest = std::max(newest, std::stol(entry.path().filename()));
  }
  fs::resize_file(checkpoints / std::to_string(newest) / "parameters.bin", 100);
  ASSERT_EQ(wait_for(start(folder / "killed")), 0);
  expect_same_run(folder / "whole", folder / "killed");
}

TEST(Resume, AfterAFullDiskTheLastCheckpointIsUsed) {
  test::TemporaryFolder folder;
  TrainingJob job = long_job(folder);
  save_job(folder / "whole", job);
  ASSERT_EQ(wait_for(start(folder / "whole")), 0);
  save_job(folder / "full", job);
  pid_t child = start(folder / "full");
  ASSERT_TRUE(wait_for_checkpoints(folder / "full", 1));
  ::kill(child, SIGTERM);
  ASSERT_EQ(wait_for(child), 130);
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer itself writes files larger than the limit";
#endif
  EXPECT_EQ(wait_for(start_with_little_room(folder / "full")), 2);
  EXPECT_EQ(load_status(folder / "full")->state, RunPhase::failed);
  EXPECT_FALSE(fs::exists(folder / "full/model"));
  ASSERT_EQ(wait_for(start(folder / "full")), 0);
  expect_same_run(folder / "whole", folder / "full");
}

// What its shell started, too.
TEST(ExternalTrainer, ASignalReachesAllThatItStarted) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.trainer = fmt::format(
      "exec 2> /dev/null; for i in 1 2; do (trap 'echo x > {0}/ended$i; exit' TERM; echo x > {0}/begun$i; "
      "for wait in $(seq 600); do sleep 0.05; done) & done; wait # {{output}}",
      folder.path().string());
  save_job(folder / "run", job);
  const pid_t child = start(folder / "run");
  for (const char* file : {"begun1", "begun2"}) EXPECT_TRUE(wait_for_file(folder / file)) << file;
  ::kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child), 130);
  for (const char* file : {"ended1", "ended2"}) EXPECT_TRUE(wait_for_file(folder / file)) << file;
}

TEST(ExternalTrainer, TheRunIsLockedUntilAllHaveEnded) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.trainer = fmt::format(  // the shell ends at once, the first of its pipe does not
      "exec 2> /dev/null; (trap 'sleep 0.3; echo x > {0}/ended; exit' TERM; echo x > {0}/begun; "
      "while :; do sleep 0.01; done) | cat # {{output}}",
      folder.path().string());
  save_job(folder / "run", job);
  const pid_t child = start(folder / "run");
  EXPECT_TRUE(wait_for_file(folder / "begun"));
  ::kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child), 130);
  EXPECT_TRUE(fs::exists(folder / "ended"));
}

TEST(ExternalTrainer, AModelThatOverflowsIsNotTaken) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  Model model = random_model(job.model, 1);
  for (float& weight : model.parameters.span()) weight *= 1e20f;
  make_folders(folder / "huge");
  save_model(folder / "huge", model, kNoToken);
  job.trainer = fmt::format("cp {}/* {{output}}", (folder / "huge").string());
  EXPECT_THROW(test::train(folder / "run", job), Error);
  EXPECT_FALSE(fs::exists(folder / "run/result.json"));
}

TEST(ExternalTrainer, DevTextIsLookedAtBeforeItBegins) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.trainer = fmt::format("touch {}/begun; cp {{init}}/* {{output}}", folder.path().string());
  fs::remove(folder / "one/dev.bin");
  EXPECT_THROW(test::train(folder / "run", job), Error);
  EXPECT_FALSE(fs::exists(folder / "begun"));
}

TEST(ExternalTrainer, DeviceSecondsAreThoseOfAllStarts) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.trainer = "exit 3 # {output}";
  save_job(folder / "run", job);
  RunStatus earlier;
  earlier.device_seconds = 1000;
  save_status(folder / "run", earlier);
  EXPECT_THROW(run_training(folder / "run", {.quiet = true}), Error);
  EXPECT_GE(load_status(folder / "run")->device_seconds, 1000);
  job.trainer = "cp {init}/* {output}";
  const double result = test::train(folder / "run", job).device_seconds;
  EXPECT_GT(result, 1000);
  EXPECT_EQ(load_status(folder / "run")->device_seconds, result);
}

TEST(Resume, DeviceSecondsCountWhatWasLost) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  save_job(folder / "run", job);
  RunStatus earlier;
  earlier.update = 3;
  earlier.device_seconds = 1000;
  save_status(folder / "run", earlier);
  EXPECT_GT(run_training(folder / "run", {.quiet = true}).device_seconds, 1000);
}

}  // namespace
}  // namespace btm
