// A sequence of work on the GPU that is recorded once and started by one call: small kernels then follow each other
// without waiting for the CPU.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <memory>

namespace btm::cuda {

class Graph {
 public:
  // The first call does the work, so that libraries take what they need; the second one records and starts it, and
  // later ones start what was recorded. `work` must be the same each time, on `stream` alone, with the same addresses.
  void run(cudaStream_t stream, const std::function<void()>& work);

 private:
  struct Release {
    void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
  };
  bool warm_ = false;
  std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, Release> recorded_;
};

}  // namespace btm::cuda
