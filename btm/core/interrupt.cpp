#include "btm/core/interrupt.h"

#include <csignal>

#include "btm/core/error.h"

namespace btm {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;  // a signal handler can reach nothing but a global

void on_signal(int signal) {
  g_interrupted = 1;
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
  return g_interrupted != 0;
}

void throw_if_interrupted() {
  if (interrupted()) throw Error(Cause::interrupted, "interrupted; everything done so far is saved");
}

}  // namespace btm
