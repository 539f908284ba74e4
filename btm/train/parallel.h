// Work on a fixed number of threads.
#pragma once

#include <atomic>
#include <exception>

namespace btm {

// Calls f(0) ... f(threads - 1) at once, f(0) on the caller's thread, and returns when all are done. An exception out
// of one of them is thrown again here. OpenMP's team is used, so that threads live on between calls and BLAS inside f,
// seeing a parallel region, stays on its thread; if OpenMP grants fewer threads the calls share them.
template <class F>
void parallel(int threads, const F& f) {
  if (threads == 1) {
    f(0);
    return;
  }
  std::exception_ptr thrown;
  std::atomic_flag taken;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int i = 0; i < threads; ++i) {
    try {
      f(i);
    } catch (...) {
      if (!taken.test_and_set()) thrown = std::current_exception();
    }
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace btm
