#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>

#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/products.h"
#include "btm/train/device.h"

namespace btm {

std::optional<Gpu> find_gpu() {
  int count = 0;
  cudaDeviceProp properties;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) return std::nullopt;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) return std::nullopt;
  return Gpu{properties.name, static_cast<double>(properties.totalGlobalMem), count};
}

double measure_gpu_peak() {
  if (!find_gpu()) return 0;
  constexpr int kSize = 8192, kTimes = 10;
  const std::unique_ptr<cuda::Products> products = cuda::make_products();
  const cuda::DeviceArray<bf16> a(std::size_t{kSize} * kSize), b(a.size()), c(a.size());
  const LinearOffsets layer{.weight = 0, .in = kSize, .out = kSize};
  auto seconds = [&](int times) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) {
      products->linear_forward(layer, b.data(), kSize, a.data(), c.data(), kSize);
    }
    cuda::check_cuda(cudaStreamSynchronize(products->stream()), "products");
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  seconds(3);
  return kTimes * 2.0 * kSize * kSize * kSize / seconds(kTimes);
}

}  // namespace btm
