#include "btm/core/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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
