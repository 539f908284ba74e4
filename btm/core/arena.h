// Hands out aligned pieces of one array, allocated by whoever asks how much all of them take.
#pragma once

#include <cstddef>

namespace btm {

class Arena {
 public:
  // Pieces begin at multiples of `alignment` bytes, a multiple of those of their types. With a null base it only
  // counts.
  Arena(void* base, std::size_t alignment) : base_(static_cast<char*>(base)), alignment_(alignment) {}

  template <class T>
  T* take(std::size_t count) {
    T* piece = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += (count * sizeof(T) + alignment_ - 1) / alignment_ * alignment_;
    return piece;
  }
  std::size_t used() const { return used_; }  // bytes

 private:
  char* base_;
  std::size_t alignment_, used_ = 0;
};

}  // namespace btm
