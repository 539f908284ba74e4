// A fixed number of threads that wait, asleep, for work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace btm {

// Not OpenMP: its idle threads spin, which takes the core from the expert beside, and thread sanitizers don't see its
// barriers. Waking the team takes some ten microseconds.
class ThreadTeam {
 public:
  // The calling thread is one of them. Throws Error(input) if the system refuses more threads.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls f(0) ... f(size - 1) at once, f(0) here and f(i) always on the same thread, and returns when all are done. An
  // exception out of one of them is thrown again here. Allocates nothing.
  template <class F>
  void run(const F& f) {
    run(&f, [](const void* work, int index) { (*static_cast<const F*>(work))(index); });
  }

  // Calls f(0) ... f(count - 1), each by whichever thread is free. After an exception no other is begun.
  template <class F>
  void share(std::size_t count, const F& f) {
    std::atomic<std::size_t> next = 0;
    run([&](int) {
      try {
        for (std::size_t i; (i = next++) < count;) f(i);
      } catch (...) {
        next = count;
        throw;
      }
    });
  }

 private:
  using Call = void (*)(const void* work, int index);
  void run(const void* work, Call call);
  void serve(int index);
  void stop();
  void call_one(int index);

  std::mutex mutex_;
  std::condition_variable begin_, end_;
  std::uint64_t round_ = 0;  // of work handed out
  int busy_ = 0;             // workers that have not finished the round
  bool stop_ = false;
  const void* work_ = nullptr;
  Call call_ = nullptr;
  std::exception_ptr thrown_;
  std::vector<std::thread> workers_;
};

}  // namespace btm
