#include "btm/core/thread_team.h"

#include <system_error>
#include <utility>

#include "btm/core/error.h"

namespace btm {

ThreadTeam::ThreadTeam(int threads) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { serve(i); });
  } catch (const std::system_error& e) {
    stop();
    throw input_error("{} threads can't be started: {}; use fewer", threads, e.what());
  }
}

ThreadTeam::~ThreadTeam() {
  stop();
}

void ThreadTeam::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  begin_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadTeam::run(const void* work, Call call) {
  {
    std::lock_guard lock(mutex_);
    work_ = work;
    call_ = call;
    busy_ = static_cast<int>(workers_.size());
    ++round_;
  }
  begin_.notify_all();
  call_one(0);
  std::unique_lock lock(mutex_);
  end_.wait(lock, [this] { return busy_ == 0; });
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void ThreadTeam::serve(int index) {
  for (std::uint64_t seen = 0;;) {
    {
      std::unique_lock lock(mutex_);
      begin_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    call_one(index);
    std::lock_guard lock(mutex_);
    if (--busy_ == 0) end_.notify_one();
  }
}

void ThreadTeam::call_one(int index) {
  try {
    call_(work_, index);
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (!thrown_) thrown_ = std::current_exception();
  }
}

}  // namespace btm
