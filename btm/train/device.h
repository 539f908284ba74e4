// Where a model is trained: this machine's cores, or a GPU.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "btm/train/settings.h"

namespace btm {

enum class Device { automatic, cpu, cuda };
inline std::array<std::pair<Device, std::string_view>, 3> names(Device) {
  return {{{Device::automatic, "auto"}, {Device::cpu, "cpu"}, {Device::cuda, "cuda"}}};
}

struct Gpu {
  std::string name;
  double memory_bytes = 0;
  int count = 1;  // of GPUs that this process may use; the rest is of the first
};
// Why find_gpu() finds none.
struct NoGpu {
  std::string reason;
  bool refused = false;  // there is one, which can't be used as it is
};
// nullopt: none that can be used, for the reason that is written to `why` if it is given.
std::optional<Gpu> find_gpu(NoGpu* why = nullptr);

// What `wanted` comes to: for `automatic` a GPU, if there is one and it can do what is asked. Throws Error(input) if
// cuda is wanted and can't be.
Device device_for(Device wanted, Precision precision);

// Where this process shares the GPU with others by NVIDIA's MPS, it works on so many percent of the multiprocessors:
// kernels of small models don't fill the GPU, and side by side they do. It is to be called before CUDA is first asked.
void take_share_of_gpu(int percent);

// FLOP/s of products of bf16 matrices of 8192 x 8192 on that GPU; 0 if there is none. Takes about a second.
double measure_gpu_peak();

}  // namespace btm
