// Arrays of the GPU with values of a test's, and how near those of two ways are.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "btm/model/cuda/memory.h"
#include "btm/train/device.h"
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

inline bool emulated() {
  return find_gpu()->name == "the emulator";
}

// That they are within so large a share of the expected array's length.
inline void expect_alike(const Floats& found, const Floats& expected, double tolerance, const char* what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double error = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(double(found[i]) - expected[i], 2);
    size += std::pow(double(expected[i]), 2);
  }
  EXPECT_LT(std::sqrt(error), tolerance * std::sqrt(size)) << what;
}

// Cut to 8 significant bits, so that both sides begin with the same numbers.
inline Floats cut(Floats values) {
  for (float& x : values) x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffff0000u);
  return values;
}

}  // namespace btm::test
