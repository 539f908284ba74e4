#include "btm/plan/launch/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "btm/core/error.h"
#include "btm/plan/launch/local_workers.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

// A worker that is a shell script: called as `SCRIPT train RUN --quiet`.
LocalWorkers workers_of(const test::TemporaryFolder& folder, const std::string& body, int count) {
  auto script = folder.write("worker", "#!/bin/sh\nrun=$2\n" + body);
  ::chmod(script.c_str(), 0755);
  return {script, {}, WorkerShare{.workers = count, .threads = 1}};
}

// Waits until the command succeeds, for ten seconds at most.
std::string once(const std::string& command) {
  return "for i in $(seq 100); do " + command + " && break; sleep 0.1; done; ";
}

constexpr LaunchOptions kQuiet{.quiet = true};

std::vector<LaunchedRun> runs_of(const test::TemporaryFolder& folder, int count) {
  std::vector<LaunchedRun> runs;
  for (int i = 0; i < count; ++i) {
    std::string name = "run" + std::to_string(i);
    std::filesystem::create_directories(folder / name);
    runs.push_back({name, folder / name});
  }
  return runs;
}

TEST(Launcher, RunsAllAndTellsOfEach) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(folder, "echo hello > $run/output", 2);
  std::set<std::string> done;
  launch(workers, "test", runs_of(folder, 5), {.done = [&](const LaunchedRun& run) { done.insert(run.name); }}, kQuiet);
  EXPECT_EQ(done.size(), 5u);
  EXPECT_EQ(test::read(folder / "run3" / "output"), "hello\n");
}

TEST(Launcher, KeepsToTheNumberOfWorkers) {
  test::TemporaryFolder folder;
  // Each worker counts the ones alive at its start; the first two stay until both have.
  LocalWorkers workers =
      workers_of(folder,
                 "f=$(dirname $run); mkdir -p $f/alive; : > $f/alive/$$; ls $f/alive | wc -l > $run/count; " +
                     once("[ -s $f/run0/count ] && [ -s $f/run1/count ]") + "sleep 0.3; rm $f/alive/$$",
                 2);
  launch(workers, "test", runs_of(folder, 5), {}, kQuiet);
  auto alive = [&](const std::string& run) { return std::stoi(test::read(folder / run / "count")); };
  for (const char* run : {"run2", "run3", "run4"}) EXPECT_LE(alive(run), 2);
  EXPECT_EQ(std::max(alive("run0"), alive("run1")), 2) << "one after the other, or three";
}

TEST(Launcher, StartsARunWhenThoseItWaitsForAreDoneAndPreparesItThen) {
  test::TemporaryFolder folder;
  // run0 is slow, run1 is not: run2 waits for run1 alone and overlaps run0, run3 waits for both others.
  LocalWorkers workers = workers_of(folder,
                                    "cp $(dirname $run)/order $run/seen; case $run in *run0) " +
                                        once("grep -q -- -2 $(dirname $run)/order") + ";; esac",
                                    2);
  std::vector<LaunchedRun> runs = runs_of(folder, 4);
  runs[2].after = {"run1", "elsewhere"};
  runs[3].after = {"run2", "run0"};
  folder.write("order", "");
  std::string order;
  auto note = [&](const std::string& what, const LaunchedRun& run) {
    order += what + run.name.substr(3) + " ";
    folder.write("order", order);
  };
  LaunchHooks hooks;
  hooks.prepare = [&](const LaunchedRun& run) { return note("+", run), true; };
  hooks.done = [&](const LaunchedRun& run) { note("-", run); };
  launch(workers, "test", runs, hooks, kQuiet);
  EXPECT_EQ(order, "+0 +1 -1 +2 -2 -0 +3 -3 ");
  EXPECT_EQ(test::read(folder / "run3" / "seen"), "+0 +1 -1 +2 -2 -0 +3 ");
}

// run1 can't be begun, run2 not be published: run0, beside them, and run3, behind it, are done all the same.
TEST(Launcher, WhatCantBePreparedOrPublishedTakesNobodyWithIt) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(
      folder, "case $run in *run0) " + once("[ -e $(dirname $run)/run2/output ]") + ";; esac; : > $run/output", 2);
  std::vector<LaunchedRun> runs = runs_of(folder, 5);
  runs[3].after = {"run0"};
  runs[4].after = {"run1"};
  std::set<std::string> done;
  LaunchHooks hooks;
  hooks.prepare = [](const LaunchedRun& run) {
    if (run.name == "run1") throw input_error("no parents");
    return true;
  };
  hooks.done = [&](const LaunchedRun& run) {
    if (run.name == "run2") throw input_error("the disk is full");
    done.insert(run.name);
  };
  try {
    launch(workers, "test", runs, hooks, kQuiet);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "no parents");
  }
  EXPECT_EQ(done, (std::set<std::string>{"run0", "run3"}));
  EXPECT_FALSE(std::filesystem::exists(folder / "run4" / "output"));
}

TEST(Launcher, DoesNotStartWhatThePreparationFindsDone) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(folder, "echo hello > $run/output", 1);
  std::vector<LaunchedRun> runs = runs_of(folder, 3);
  runs[2].after = {"run1"};
  int done = 0;
  LaunchHooks hooks;
  hooks.prepare = [](const LaunchedRun& run) { return run.name != "run1"; };
  hooks.done = [&](const LaunchedRun&) { ++done; };
  launch(workers, "test", runs, hooks, kQuiet);
  EXPECT_EQ(done, 2);
  EXPECT_FALSE(std::filesystem::exists(folder / "run1" / "output"));
  EXPECT_TRUE(std::filesystem::exists(folder / "run2" / "output"));
}

TEST(Launcher, FailureNamesTheRunItsLastLineAndItsLogWhenTheOthersAreDone) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(folder,
                                    "case $run in *run0) echo first; echo 'btm: no such data' >&2; echo "
                                    "------; exit 2;; *) sleep 0.3;; esac",
                                    2);
  std::vector<LaunchedRun> runs = runs_of(folder, 5);
  runs[4].after = {"run0"};
  std::set<std::string> done;
  try {
    launch(workers, "test", runs, {.done = [&](const LaunchedRun& run) { done.insert(run.name); }}, kQuiet);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("run0"), testing::HasSubstr("no such data"),
                                         testing::HasSubstr("log.txt")));
  }
  EXPECT_EQ(done, (std::set<std::string>{"run1", "run2", "run3"})) << "all but the one that waits for it";
}

TEST(Launcher, AWorkerThatCantBeStartedTakesNobodyWithIt) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(folder, ": > $run/output", 1);
  const std::vector<LaunchedRun> runs = runs_of(folder, 3);
  std::filesystem::create_directories(RunPaths{runs[0].run}.log());  // in the log's place
  std::set<std::string> done;
  try {
    launch(workers, "test", runs, {.done = [&](const LaunchedRun& run) { done.insert(run.name); }}, kQuiet);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("run0/log.txt"));
  }
  EXPECT_EQ(done, (std::set<std::string>{"run1", "run2"}));
}

TEST(Launcher, StopsTheOthersWhenTheCallerIsInterrupted) {
  test::TemporaryFolder folder;
  const auto start = std::chrono::steady_clock::now();
  {
    LocalWorkers workers = workers_of(folder, "case $run in *run0) ;; *) exec sleep 60;; esac", 2);
    EXPECT_THROW(launch(workers, "test", runs_of(folder, 2),
                        {.done = [](const LaunchedRun&) { throw Error(Cause::interrupted, "a signal"); }}, kQuiet),
                 Error);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << "the other worker was waited for";
}

TEST(Launcher, KilledWorkerIsAFailureThatSaysHowToGoOn) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(folder, "kill -9 $$", 1);
  try {
    launch(workers, "test", runs_of(folder, 1), {}, kQuiet);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::failed);
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("signal 9"), testing::HasSubstr("btm grow")));
  }
}

TEST(Launcher, AnInterruptedWorkerIsNoFailure) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(folder, "echo 'btm: interrupted at update 3 of 9'; exit 130", 1);
  try {
    launch(workers, "test", runs_of(folder, 1), {}, kQuiet);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::interrupted);
    EXPECT_THAT(e.what(), testing::HasSubstr("at update 3 of 9"));
  }
}

TEST(Launcher, TellsTheOthersToSaveBySignalUsr1) {  // mpirun's own answer to SIGTERM is to kill the ranks
  test::TemporaryFolder folder;
  {
    LocalWorkers workers = workers_of(folder,
                                      "case $run in *run0) " + once("[ -e $(dirname $run)/run1/up ]") +
                                          "exit 0;; esac; trap ': > $run/told; exit 130' USR1; : > $run/up; "
                                          "while :; do sleep 0.01; done",
                                      2);
    EXPECT_THROW(launch(workers, "test", runs_of(folder, 2),
                        {.done = [](const LaunchedRun&) { throw Error(Cause::interrupted, "a signal"); }}, kQuiet),
                 Error);
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "run1" / "told"));
}

TEST(Launcher, WhatCantBePreparedIsToldThoughAWorkerFailsLater) {
  test::TemporaryFolder folder;
  LocalWorkers workers = workers_of(folder, "echo broken; exit 2", 1);
  LaunchHooks hooks;
  hooks.prepare = [](const LaunchedRun& run) {
    if (run.name == "run0") throw input_error("no parents");
    return true;
  };
  testing::internal::CaptureStderr();
  std::string told;
  try {
    launch(workers, "test", runs_of(folder, 2), hooks, kQuiet);
  } catch (const Error& e) {
    told = e.what();
  }
  told += testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, testing::AllOf(testing::HasSubstr("no parents"), testing::HasSubstr("broken")));
}

}  // namespace
}  // namespace btm
