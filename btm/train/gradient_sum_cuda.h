// The sum of the gradients on the GPUs of all ranks, taken range by range while the backward pass goes on: see
// gradient_sum.h, of which this is the GPU's.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <vector>

#include "btm/model/cuda/event.h"
#include "btm/train/gradient_sum.h"
#include "btm/train/nccl.h"

namespace btm::cuda {

// What `stream` is given below may be recorded into a graph.
class GradientSum {
 public:
  // The sum of `gradients`, which the ranges cover, and of *loss, all on the GPU.
  GradientSum(const Ranks& ranks, std::vector<GradientRange> ranges, float* gradients, double* loss);

  // The block's gradients are there when `stream` has come here: sums them on a stream of its own. The last block
  // first.
  void block_done(int block, cudaStream_t stream);
  // Sums what is left, and makes `stream` wait for all sums. Once in an update.
  void finish(cudaStream_t stream);

 private:
  struct DestroyStream {
    void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
  };
  void sum_next();

  Communicator communicator_;
  std::vector<GradientRange> ranges_;
  float* gradients_;
  double* loss_;
  std::size_t next_ = 0;  // range of this update
  std::unique_ptr<std::remove_pointer_t<cudaStream_t>, DestroyStream> stream_;
  Event computed_, summed_;
};

}  // namespace btm::cuda
