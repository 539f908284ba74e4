#include "btm/model/cuda/memory.h"

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm::cuda {

void check_cuda(cudaError_t answer, const char* what) {
  if (answer != cudaSuccess) throw failure("the GPU refuses {}: {}", what, cudaGetErrorString(answer));
}

void* allocate_on_device(std::size_t bytes) {
  void* p = nullptr;
  const cudaError_t answer = cudaMalloc(&p, bytes);
  if (answer == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // has been told
    throw input_error("the GPU has no {}B left; {}", format_count(static_cast<double>(bytes)), kFullMemoryAdvice);
  }
  check_cuda(answer, "memory");
  check_cuda(cudaMemset(p, 0, bytes), "to clear memory");
  check_cuda(cudaStreamSynchronize(nullptr), "to clear memory");  // our streams don't wait for the default one
  return p;
}

void* allocate_pinned(std::size_t bytes) {
  void* p = nullptr;
  check_cuda(cudaMallocHost(&p, bytes), "pinned memory");
  return p;
}

}  // namespace btm::cuda
