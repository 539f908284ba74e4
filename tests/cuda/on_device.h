// Arrays of the GPU with values of a test's.
#pragma once

#include <bit>
#include <vector>

#include "btm/model/cuda/memory.h"
#include "tests/model/kernel_values.h"

namespace btm::test {

constexpr cudaStream_t kStream = nullptr;  // the default one

template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : array_(values.size()) {
    cuda::check_cuda(
        cudaMemcpyAsync(array_.data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, kStream),
        "a copy");
    cuda::check_cuda(cudaStreamSynchronize(kStream), "a copy");
  }
  explicit OnDevice(std::size_t size) : array_(size) {}
  T* data() const { return array_.data(); }
  std::vector<T> read() const {
    std::vector<T> values(array_.size());
    cuda::check_cuda(
        cudaMemcpyAsync(values.data(), array_.data(), values.size() * sizeof(T), cudaMemcpyDeviceToHost, kStream),
        "a copy");
    cuda::check_cuda(cudaStreamSynchronize(kStream), "a copy");
    return values;
  }

 private:
  cuda::DeviceArray<T> array_;
};

// Cut to 8 significant bits, so that both sides begin with the same numbers.
inline Floats cut(Floats values) {
  for (float& x : values) x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffff0000u);
  return values;
}

}  // namespace btm::test
