#include <cuda_runtime.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "btm/core/random.h"
#include "btm/core/stopwatch.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/products.h"
#include "btm/train/device.h"

namespace btm {

namespace {

constexpr int kLeastMajor = 8;  // of the compute capability: bf16 products and flash attention

// Numbers of 0.5 to 1 and their negatives: on zeros the GPU would run faster, as they draw less power.
void fill(const cuda::DeviceArray<bf16>& matrix) {
  Random random(1);
  std::vector<bf16> some(std::size_t{1} << 20);
  for (bf16& x : some) x.bits = static_cast<std::uint16_t>(0x3f00 | (random.below(1 << 16) & 0x807f));
  for (std::size_t at = 0; at < matrix.size(); at += some.size()) {
    const std::size_t count = std::min(some.size(), matrix.size() - at);
    cuda::check_cuda(cudaMemcpy(matrix.data() + at, some.data(), count * sizeof(bf16), cudaMemcpyHostToDevice),
                     "a copy");
  }
}

}  // namespace

std::optional<Gpu> find_gpu(NoGpu* why) {
  const auto none = [why](std::string reason, bool refused) {
    if (why) *why = {std::move(reason), refused};
    return std::nullopt;
  };
  int driver = 0, count = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) return none("there is no driver of NVIDIA's", false);
  cudaDeviceProp properties;
  cudaError_t answer = cudaGetDeviceCount(&count);
  if (answer == cudaErrorNoDevice || (answer == cudaSuccess && count == 0)) {
    return none("there is no GPU that this process may use", false);
  }
  if (answer == cudaSuccess) answer = cudaGetDeviceProperties(&properties, 0);
  if (answer != cudaSuccess) return none(fmt::format("CUDA says: {}", cudaGetErrorString(answer)), true);
  if (properties.major < kLeastMajor) {
    return none(fmt::format("{} is of compute capability {}.{}, and {}.0 is the least (A100, RTX 30, and what came "
                            "after them); CUDA_VISIBLE_DEVICES can choose another one",
                            properties.name, properties.major, properties.minor, kLeastMajor),
                true);
  }
  return Gpu{properties.name, static_cast<double>(properties.totalGlobalMem), count};
}

void take_share_of_gpu(int percent) {
  if (percent == 100) return;
  ::setenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", std::to_string(percent).c_str(), 0);  // what someone has set stays
}

double measure_gpu_peak() {
  if (!find_gpu()) return 0;
  constexpr int kSize = 8192;
  constexpr double kSeconds = 0.5;  // by then its clocks are those of long work
  const std::unique_ptr<cuda::Products> products = cuda::make_products();
  const cuda::DeviceArray<bf16> a(std::size_t{kSize} * kSize), b(a.size()), c(a.size());
  fill(a);
  fill(b);
  const LinearOffsets layer{.weight = 0, .in = kSize, .out = kSize};
  auto seconds = [&](int times) {
    const Stopwatch watch;
    for (int i = 0; i < times; ++i) {
      products->linear_forward(layer, b.data(), kSize, a.data(), c.data(), kSize);
    }
    cuda::check_cuda(cudaStreamSynchronize(products->stream()), "products");
    return watch.seconds();
  };
  seconds(3);
  const int times = static_cast<int>(std::max(10.0, kSeconds / (seconds(10) / 10)));
  return times * 2.0 * kSize * kSize * kSize / seconds(times);
}

}  // namespace btm
