// The time that a thread has worked, whatever else runs on the machine.
#pragma once

#include <time.h>

namespace btm {

// Of the calling thread, since it began.
inline double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace btm
