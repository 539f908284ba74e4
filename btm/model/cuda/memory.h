// Memory of the GPU, and what its calls answer.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace btm::cuda {

inline constexpr char kFullMemoryAdvice[] =
    "free the GPU of other programs, train with less (a lower training.batch_tokens, training.recompute: true, a "
    "smaller model) or use the CPU (device: cpu)";

// Throws Error(failed) that says what the GPU refused; Error(input) when its memory is full.
void check_cuda(cudaError_t answer, const char* what);

void* allocate_on_device(std::size_t bytes);  // zeroed; aligned to 256 bytes
void* allocate_pinned(std::size_t bytes);     // on the host, where copies to the GPU don't wait

// Memory of the GPU of so many bytes, for work that is given to the stream before the next call.
using Scratch = std::function<void*(std::size_t bytes)>;

// [size] numbers in memory that these two functions give and take back.
template <class T, void* (*allocate)(std::size_t), cudaError_t (*release)(void*)>
class CudaArray {
 public:
  explicit CudaArray(std::size_t size) : data_(static_cast<T*>(allocate(size * sizeof(T)))), size_(size) {}
  T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Release {
    void operator()(void* p) const { release(p); }
  };
  std::unique_ptr<T[], Release> data_;
  std::size_t size_;
};

template <class T>
using DeviceArray = CudaArray<T, allocate_on_device, cudaFree>;
template <class T>
using PinnedArray = CudaArray<T, allocate_pinned, cudaFreeHost>;

}  // namespace btm::cuda
