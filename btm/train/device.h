// Where a model is trained: this machine's cores, or a GPU.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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
// nullopt: none, or built without CUDA.
std::optional<Gpu> find_gpu();

// FLOP/s of products of bf16 matrices of 8192 x 8192 on that GPU; 0 if there is none. Takes about a second.
double measure_gpu_peak();

}  // namespace btm
