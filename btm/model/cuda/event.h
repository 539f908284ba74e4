// A place in a stream's work, for others to wait for.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <type_traits>

#include "btm/model/cuda/memory.h"

namespace btm::cuda {

class Event {
 public:
  Event() {
    cudaEvent_t event = nullptr;
    check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
    event_.reset(event);
  }
  // The place is behind what `stream` has been given up to now.
  void record(cudaStream_t stream) { check_cuda(cudaEventRecord(event_.get(), stream), "an event"); }
  void hold_up(cudaStream_t other) const { check_cuda(cudaStreamWaitEvent(other, event_.get(), 0), "to wait"); }
  void wait() const { check_cuda(cudaEventSynchronize(event_.get()), "its work"); }

 private:
  struct Destroy {
    void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
  };
  std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, Destroy> event_;
};

}  // namespace btm::cuda
