// Several trainings on one GPU at the same time, by NVIDIA's Multi-Process Service: without it the kernels of different
// processes take turns, and those of a small model leave most of the GPU idle.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace btm {

// A daemon of the service for the processes that this one starts, in a folder of its own so that nobody else's come to
// it. It ends with this object, when its processes have ended. Where someone has set it up already
// (CUDA_MPS_PIPE_DIRECTORY, /tmp/nvidia-mps) that one is used; where it can't be had, a warning says so, and the
// kernels take turns.
class GpuSharing {
 public:
  GpuSharing();
  ~GpuSharing();
  GpuSharing(const GpuSharing&) = delete;
  GpuSharing& operator=(const GpuSharing&) = delete;

  // NAME=VALUE for those processes; empty if there is nothing to add.
  const std::vector<std::string>& environment() const { return environment_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> environment_;
};

}  // namespace btm
