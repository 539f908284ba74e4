// Something to be done at the end of a block, however it is left.
#pragma once

#include <utility>

namespace btm {

template <class F>  // that doesn't throw
class OnExit {
 public:
  explicit OnExit(F f) : f_(std::move(f)) {}
  ~OnExit() { f_(); }
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;

 private:
  F f_;
};

}  // namespace btm
