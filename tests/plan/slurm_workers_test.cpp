// The workers against a Slurm that says what the test wants: sbatch and squeue are scripts. Real ones: tests/e2e.
#include "btm/plan/launch/slurm_workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <thread>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/plan/launch/launcher.h"
#include "btm/train/job.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SlurmWorkersTest : public testing::Test {
 protected:
  SlurmWorkersTest() {
    program("sbatch", R"(n=$(cat $dir/count 2>/dev/null || echo 0); n=$((n + 1)); echo $n > $dir/count
printf '%s\n' "$*" > $dir/options.$n; cat > $dir/script.$n; echo $((16 + n)))");
    program("squeue", "cat $dir/states");
    folder_.write("states", "");
    program("sacct", "exit 1");
    path_ = std::getenv("PATH");
    ::setenv("PATH", fmt::format("{}:{}", folder_.path().string(), path_).c_str(), 1);
    fs::create_directories(run());
    runs_ = {{"python", run()}};
  }
  ~SlurmWorkersTest() override { ::setenv("PATH", path_.c_str(), 1); }

  fs::path run() const { return folder_ / "python"; }

  void program(const std::string& name, const std::string& body) {
    auto file = folder_.write(name, fmt::format("#!/bin/bash\ndir={}\n{}\n", folder_.path().string(), body));
    ::chmod(file.c_str(), 0755);
  }

  // What squeue says of the job that is sent as number `n`.
  void squeue_says(int n, const std::string& state, int exit_status = 0) {
    folder_.write("states", fmt::format("{}_0   |{}   |{}|n1  |None|\n", 16 + n, state, exit_status));
  }

  SlurmWorkers workers(std::chrono::milliseconds result_delay = std::chrono::seconds(30)) {
    return {"/usr/bin/btm", settings_, 3, folder_.path(), std::chrono::milliseconds(1), result_delay};
  }

  std::string sent(int n) const {
    const fs::path file = folder_ / fmt::format("options.{}", n);
    return fs::exists(file) ? read_file(file) : "";
  }

  // Looks until something is sent again, ends, or fails.
  std::string look(SlurmWorkers& workers, int sends) {
    for (int i = 0; i < 50; ++i) {
      try {
        if (!workers.ended().empty()) return "ended";
      } catch (const Error& e) {
        cause_ = e.cause();
        return e.what();
      }
      if (!sent(sends + 1).empty()) return "sent again";
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return "alive";
  }

  test::TemporaryFolder folder_;
  std::string path_;
  LauncherSettings settings_;
  std::vector<LaunchedRun> runs_;
  Cause cause_{};
};

TEST_F(SlurmWorkersTest, SendsAnArrayWithTheOptionsOfThePlan) {
  settings_.workers = 4;
  settings_.partition = "gpu";
  settings_.account = "lab";
  settings_.gres = "gpu:1";
  settings_.time = "4:00:00";
  settings_.extra = {"--mem=8G"};
  fs::create_directories(folder_ / "it's");
  runs_.push_back({"its", folder_ / "it's"});
  SlurmWorkers workers = this->workers();
  workers.start({&runs_[0], &runs_[1]});
  for (const char* option : {"--array=0-1%4", "--partition=gpu", "--account=lab", "--gres=gpu:1", "--time=4:00:00",
                             "--cpus-per-task=3", "--mem=8G", "--requeue", "--signal=B:USR1@"}) {
    EXPECT_THAT(sent(1), HasSubstr(option));
  }
  EXPECT_THAT(read_file(folder_ / "script.1"), HasSubstr(R"(it'\''s')"));
  EXPECT_EQ(load_slurm_record(runs_[1].run)->job, "17_1");
}

TEST_F(SlurmWorkersTest, WatchesTheJobThatIsThere) {
  save_slurm_record(run(), {"17_0", 1, 0});
  squeue_says(1, "PENDING");
  SlurmWorkers workers = this->workers();
  workers.start({&runs_[0]});
  EXPECT_EQ(look(workers, 0), "alive");
  save_result(run(), {});
  EXPECT_EQ(look(workers, 0), "ended");
}

TEST_F(SlurmWorkersTest, SendsLostJobsAgainAndTellsThemApart) {
  for (const char* state : {"NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "PREEMPTED", "BOOT_FAIL"}) {
    squeue_says(1, state);
    folder_.write("count", "0");
    fs::remove(RunPaths{run()}.slurm());
    SlurmWorkers workers = this->workers();
    workers.start({&runs_[0]});
    testing::internal::CaptureStderr();
    EXPECT_EQ(look(workers, 1), "sent again") << state;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), AllOf(HasSubstr("python: its job"), HasSubstr(state)));
    EXPECT_EQ(load_slurm_record(run())->attempts, 2);
    fs::remove(folder_ / "options.2");
  }
}

TEST_F(SlurmWorkersTest, GivesUpAfterTheRetriesUnlessThereIsProgress) {
  settings_.retries = 1;
  SlurmWorkers workers = this->workers();
  squeue_says(1, "FAILED", 9);  // ended by signal 9
  workers.start({&runs_[0]});
  EXPECT_EQ(look(workers, 1), "sent again");
  make_folders(RunPaths{run()}.checkpoints() / "40");
  squeue_says(2, "FAILED", 9);
  EXPECT_EQ(look(workers, 2), "sent again") << "progress was made";
  squeue_says(3, "FAILED", 9);
  EXPECT_EQ(look(workers, 3), "sent again");
  squeue_says(4, "FAILED", 9);
  EXPECT_THAT(look(workers, 4), AllOf(HasSubstr("exit code 137, 2 times in a row"), HasSubstr("python/log.txt")));
  EXPECT_EQ(cause_, Cause::failed);
  workers.start({&runs_[0]});  // as the next grow does
  EXPECT_EQ(load_slurm_record(run())->attempts, 1);
}

TEST_F(SlurmWorkersTest, UpdatesThatAreLostAreNoProgress) {
  settings_.retries = 1;
  SlurmWorkers workers = this->workers();
  workers.start({&runs_[0]});
  RunStatus further;
  for (int attempt = 1; attempt <= 2; ++attempt) {
    further.update += 40;
    save_status(run(), further);
    squeue_says(attempt, "FAILED", 9);
    EXPECT_THAT(look(workers, attempt), attempt == 1 ? HasSubstr("sent again") : HasSubstr("without progress"));
  }
}

// ---- grow --submit

TEST_F(SlurmWorkersTest, WhatGoesOnAfterwardsDoesSoHoweverTheJobsEnd) {
  fs::create_directories(folder_ / "java");
  runs_.push_back({"java", folder_ / "java"});
  SlurmWorkers workers = this->workers();
  workers.start({&runs_[0], &runs_[1]});
  EXPECT_EQ(workers.run_afterwards({"btm", "grow", "it's"}), "18");
  EXPECT_THAT(sent(2), AllOf(HasSubstr("--dependency=afterany:17_0:17_1"), HasSubstr("--job-name=btm-grow")));
  EXPECT_THAT(read_file(folder_ / "script.2"), HasSubstr("export BTM_GOES_ON=1\n"
                                                         R"(exec 'btm' 'grow' 'it'\''s')"));
}

TEST_F(SlurmWorkersTest, AJobOfANamedClusterIsKnownByItsNumber) {
  program("sbatch", "cat > /dev/null; echo '17;main'");
  SlurmWorkers workers = this->workers();
  workers.start({&runs_[0]});
  EXPECT_EQ(load_slurm_record(run())->job, "17_0");
}

TEST_F(SlurmWorkersTest, WhoOnlySubmitsWaitsUntilItKnowsWhatBecameOfAJob) {
  for (const char* state : {"TIMEOUT", "NODE_FAIL", "COMPLETED"}) {
    folder_.write("count", "0");
    for (const char* left : {"options.1", "options.2", "python/slurm.json"}) fs::remove(folder_ / left);
    const auto submit = [&] {
      SlurmWorkers workers = this->workers(std::chrono::milliseconds(5));
      return launch(workers, "cycle 1", runs_, {}, {.watch = false, .quiet = true});
    };
    squeue_says(1, "PENDING");
    EXPECT_FALSE(submit());
    EXPECT_EQ(sent(2), "");
    squeue_says(1, state);
    testing::internal::CaptureStderr();
    EXPECT_FALSE(submit());
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("python: its job"));
    EXPECT_NE(sent(2), "") << state;
    EXPECT_EQ(load_slurm_record(run())->attempts, 2) << state;
  }
}

TEST_F(SlurmWorkersTest, TheJobThatGoesOnKeepsToWhatIsFinal) {
  fs::create_directories(folder_ / "java");
  runs_.push_back({"java", folder_ / "java"});
  {
    SlurmWorkers workers = this->workers();
    workers.start({&runs_[0], &runs_[1]});
    folder_.write("states", "17_0|CANCELLED|0|n1|None|\n17_1|RUNNING|0|n1|None|\n");
    EXPECT_TRUE(workers.ended().empty());
  }
  ::setenv("BTM_GOES_ON", "1", 1);
  SlurmWorkers later = this->workers();
  later.start({&runs_[0], &runs_[1]});
  ::unsetenv("BTM_GOES_ON");
  EXPECT_EQ(look(later, 1), "alive");
  EXPECT_EQ(sent(2), "");
  save_result(runs_[1].run, {});
  EXPECT_EQ(look(later, 1), "ended");
  EXPECT_THAT(look(later, 1), HasSubstr("python: its job was cancelled"));
  EXPECT_EQ(cause_, Cause::failed);
  SlurmWorkers by_hand = this->workers();
  by_hand.start({&runs_[0]});
  EXPECT_NE(sent(2), "");
}

TEST_F(SlurmWorkersTest, SlurmMayRefuseALostJobForAMoment) {
  settings_.retries = 1;
  SlurmWorkers workers = this->workers();
  squeue_says(1, "NODE_FAIL");
  workers.start({&runs_[0]});
  program("sbatch",
          "[[ -e $dir/up ]] || { touch $dir/up; echo 'Unable to contact slurm controller' >&2; exit 1; }\n"
          "printf '%s\n' \"$*\" > $dir/options.2; echo 18");
  testing::internal::CaptureStderr();
  EXPECT_EQ(look(workers, 1), "sent again");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Unable to contact slurm controller"));
  EXPECT_EQ(load_slurm_record(run())->job, "18_0");
  fs::remove(folder_ / "up");
  fs::remove(folder_ / "options.2");
  squeue_says(2, "NODE_FAIL");
  make_folders(RunPaths{run()}.checkpoints() / "40");
  EXPECT_EQ(look(workers, 1), "sent again") << "refused once more, not twice in a row";
}

TEST_F(SlurmWorkersTest, ALostJobThatCanNotBeSentAgainTakesNobodyWithIt) {
  fs::create_directories(folder_ / "java");
  runs_.push_back({"java", folder_ / "java"});
  SlurmWorkers workers = this->workers();
  workers.start({&runs_[0], &runs_[1]});
  folder_.write("states", "17_0|NODE_FAIL|0|n1|None|\n17_1|RUNNING|0|n1|None|\n");
  program("sbatch", "echo 'sbatch: error: Job violates accounting/QOS policy' >&2; exit 1");
  testing::internal::CaptureStderr();
  EXPECT_EQ(look(workers, 1), "alive");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("python: can't be sent again: Slurm took no job"));
  save_result(runs_[1].run, {});
  EXPECT_EQ(look(workers, 1), "ended") << "the other one";
  EXPECT_THAT(look(workers, 1), HasSubstr("python: can't be sent again"));
  EXPECT_EQ(cause_, Cause::input);
}

TEST_F(SlurmWorkersTest, AJobThatIsSeenAgainIsNotTakenForLost) {
  const auto patience = std::chrono::milliseconds(200);
  SlurmWorkers workers = this->workers(patience);
  workers.start({&runs_[0]});
  squeue_says(1, "COMPLETED");
  EXPECT_TRUE(workers.ended().empty());
  squeue_says(1, "REQUEUED");
  EXPECT_EQ(look(workers, 1), "alive");
  std::this_thread::sleep_for(patience);
  squeue_says(1, "COMPLETED");
  EXPECT_TRUE(workers.ended().empty());
  EXPECT_EQ(sent(2), "") << "its end is told for the first time";
}

TEST_F(SlurmWorkersTest, AJobThatEndedWellWithoutAResultHasFailed) {
  settings_.retries = 1;
  SlurmWorkers workers = this->workers(std::chrono::milliseconds(1));
  squeue_says(1, "COMPLETED");
  workers.start({&runs_[0]});
  testing::internal::CaptureStderr();
  EXPECT_EQ(look(workers, 1), "sent again");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("python: its job ended well but left no result"));
  squeue_says(2, "COMPLETED");
  EXPECT_THAT(look(workers, 2), HasSubstr("ended well but left no result, 2 times in a row"));
  EXPECT_EQ(cause_, Cause::failed);
}

TEST_F(SlurmWorkersTest, TheResultOfAJobThatEndedWellMayBeOnItsWay) {
  SlurmWorkers workers = this->workers();
  squeue_says(1, "COMPLETED");
  workers.start({&runs_[0]});
  EXPECT_EQ(look(workers, 1), "alive");
  save_result(run(), {});
  EXPECT_EQ(look(workers, 1), "ended");
}

TEST_F(SlurmWorkersTest, WrongInputAndCancellationAreFinal) {
  folder_.write("python/log.txt", "btm: no such tokens\n");
  SlurmWorkers workers = this->workers();
  squeue_says(1, "FAILED", 2 << 8);
  workers.start({&runs_[0]});
  EXPECT_THAT(look(workers, 1), HasSubstr("no such tokens"));
  EXPECT_EQ(cause_, Cause::input);

  SlurmWorkers others = this->workers();
  squeue_says(2, "CANCELLED");
  others.start({&runs_[0]});
  EXPECT_THAT(look(others, 2), HasSubstr("cancelled"));
  EXPECT_EQ(cause_, Cause::failed);
}

TEST_F(SlurmWorkersTest, AJobThatSlurmNoLongerKnowsIsAskedForInTheAccounting) {
  program("sacct", "echo 'CANCELLED by 1000|0:15'");
  SlurmWorkers workers = this->workers();
  workers.start({&runs_[0]});
  EXPECT_THAT(look(workers, 1), HasSubstr("cancelled"));

  program("sacct", "echo 'FAILED|2:0'");
  folder_.write("python/log.txt", "btm: no such tokens\n");
  SlurmWorkers others = this->workers();
  others.start({&runs_[0]});
  EXPECT_THAT(look(others, 2), HasSubstr("no such tokens"));
  EXPECT_EQ(cause_, Cause::input);
}

TEST_F(SlurmWorkersTest, AControllerThatIsDownIsAskedAgain) {
  SlurmWorkers workers = this->workers();
  program("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1");
  workers.start({&runs_[0]});
  testing::internal::CaptureStderr();
  EXPECT_EQ(look(workers, 1), "alive");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Unable to contact"));
  program("squeue", "cat $dir/states");
  squeue_says(1, "CANCELLED");
  EXPECT_THAT(look(workers, 1), HasSubstr("cancelled"));
}

TEST_F(SlurmWorkersTest, ARefusedJobIsAnErrorOfTheUser) {
  program("sbatch", "echo 'sbatch: error: invalid partition specified: gpu' >&2; exit 1");
  SlurmWorkers workers = this->workers();
  try {
    workers.start({&runs_[0]});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), HasSubstr("invalid partition"));
  }
}

}  // namespace
}  // namespace btm
