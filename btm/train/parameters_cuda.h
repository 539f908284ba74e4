// A model's parameters on a GPU.
#pragma once

#include <cuda_runtime.h>

#include <span>

#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/transformer.h"
#include "btm/train/adamw_cuda.h"

namespace btm::cuda {

class DeviceParameters {
 public:
  explicit DeviceParameters(std::size_t size) : masters_(size), rounded_(size) {}

  // Copies these there, when the stream has come here, and rounds them.
  void load(cudaStream_t stream, std::span<const float> parameters) {
    check_cuda(cudaMemcpyAsync(masters(), parameters.data(), parameters.size_bytes(), cudaMemcpyHostToDevice, stream),
               "a copy of the weights");
    round_parameters(stream, parameters.size(), masters(), rounded());
  }

  float* masters() const { return masters_.data(); }
  bf16* rounded() const { return rounded_.data(); }
  Parameters both() const { return {masters(), rounded()}; }

 private:
  DeviceArray<float> masters_;
  DeviceArray<bf16> rounded_;
};

}  // namespace btm::cuda
