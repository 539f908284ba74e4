#include "btm/core/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

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

}  // namespace
}  // namespace btm
