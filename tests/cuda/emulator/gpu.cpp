#include <cuda_runtime.h>

#include "btm/train/device.h"

namespace btm {

std::optional<Gpu> find_gpu(NoGpu*) {
  std::size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return Gpu{"the emulator", static_cast<double>(total), 1};
}

void take_share_of_gpu(int) {}

double measure_gpu_peak() {
  return 1e9;
}

}  // namespace btm
