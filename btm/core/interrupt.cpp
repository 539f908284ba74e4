#include "btm/core/interrupt.h"

#include <atomic>
#include <csignal>

#include "btm/core/error.h"

namespace btm {
namespace {

std::atomic<bool> g_interrupted = false;  // a signal handler can reach nothing but a global
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int signal) {
  g_interrupted = true;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGUSR1, on_signal);
  std::signal(SIGCHLD, SIG_DFL);  // if the parent ignored it, so would this process: nobody could wait for a child
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is an error of writing like others
}

bool interrupted() {
  return g_interrupted;
}

void throw_if_interrupted(const char* message) {
  if (interrupted()) throw Error(Cause::interrupted, message);
}

}  // namespace btm
