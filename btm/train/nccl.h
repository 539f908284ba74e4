// Sums over the GPUs of several ranks by NCCL 2. Its library is opened when it is needed: torch's builds for CUDA bring
// one, and what trains on one GPU alone needs none.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "btm/train/ranks.h"

namespace btm::cuda {

class Communicator {
 public:
  // By all ranks together, each with its own GPU as the thread's current one. Throws Error(input): there is no NCCL, or
  // it can't connect the GPUs, as when two ranks have the same one.
  explicit Communicator(const Ranks& ranks);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  // values, on the GPU = their sum over all ranks, as work of the stream. All ranks call it in the same order.
  void sum(float* values, std::size_t count, cudaStream_t stream) const;
  void sum(double* values, std::size_t count, cudaStream_t stream) const;

 private:
  struct ncclComm* handle_ = nullptr;
};

}  // namespace btm::cuda
