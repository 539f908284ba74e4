// Memory of the GPU, and what its calls answer.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>

namespace btm::cuda {

// Throws Error(failure) that says what the GPU refused; Error(input) when its memory is full.
void check_cuda(cudaError_t answer, const char* what);

struct DeviceRelease {
  void operator()(void* p) const { cudaFree(p); }
};
struct PinnedRelease {
  void operator()(void* p) const { cudaFreeHost(p); }
};

void* allocate_on_device(std::size_t bytes);  // zeroed; aligned to 256 bytes
void* allocate_pinned(std::size_t bytes);     // on the host, where copies to the GPU don't wait

// [size] numbers on the GPU, zero at first.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  explicit DeviceArray(std::size_t size) : data_(static_cast<T*>(allocate_on_device(size * sizeof(T)))), size_(size) {}
  T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<T[], DeviceRelease> data_;
  std::size_t size_ = 0;
};

// [size] numbers on the host that the GPU can reach.
template <class T>
class PinnedArray {
 public:
  explicit PinnedArray(std::size_t size) : data_(static_cast<T*>(allocate_pinned(size * sizeof(T)))), size_(size) {}
  T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<T[], PinnedRelease> data_;
  std::size_t size_ = 0;
};

}  // namespace btm::cuda
