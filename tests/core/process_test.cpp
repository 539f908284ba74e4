#include "btm/core/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace btm {
namespace {

void swallow(int) {}

TEST(Process, ASignalBeforeItIsTheOtherProgramIsNotLost) {
  struct sigaction before {
  }, action{};
  action.sa_handler = swallow;  // as of catch_interrupts()
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  for (int i = 0; i < 100; ++i) {
    const pid_t child = start_process({"sleep", "20"}, {});
    ::kill(child, SIGUSR1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(exit_code(status), 128 + SIGUSR1);
  }
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST(Process, ASignalToItsGroupFindsItAtOnce) {
  for (int i = 0; i < 50; ++i) {
    const pid_t child = start_process({"sleep", "60"}, {});
    EXPECT_EQ(::kill(-child, SIGTERM), 0);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
  }
}

TEST(Process, IsToldToEndWhenWhoStartedItIsKilled) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // so that it can be waited for here
  const pid_t starter = ::fork();
  if (starter == 0) {
    start_process({"sh", "-c", "echo $$; exec sleep 20"}, {.output = ends[1]});
    ::pause();
  }
  char id[32] = {};
  ASSERT_GT(::read(ends[0], id, sizeof id - 1), 0);  // it has begun
  ::kill(starter, SIGKILL);
  ::waitpid(starter, nullptr, 0);
  int status = 0;
  EXPECT_EQ(::waitpid(std::atoi(id), &status, 0), std::atoi(id));
  EXPECT_EQ(exit_code(status), 128 + SIGTERM);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  for (const int end : ends) ::close(end);
}

TEST(Process, ABrokenPipeEndsIt) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);  // as in our programs
  EXPECT_EQ(run_process({"/bin/sh", "-c", "kill -PIPE $$; echo alive"}, "").output, "");
  ::signal(SIGPIPE, before);
}

TEST(Process, ReadsNothingOfWhatIsItsStartersToRead) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "x\n", 2), 2);
  const int before = ::dup(STDIN_FILENO);
  ASSERT_EQ(::dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  const pid_t child = start_process({"sh", "-c", "read line"}, {});
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(exit_code(status), 1) << "it found the end";
  char line[2];
  EXPECT_EQ(::read(STDIN_FILENO, line, 2), 2);
  ::dup2(before, STDIN_FILENO);
  for (const int descriptor : {before, ends[0], ends[1]}) ::close(descriptor);
}

}  // namespace
}  // namespace btm
