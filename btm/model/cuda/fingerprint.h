// Whether arrays of the GPU hold the same bytes, without a copy of them.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace btm::cuda {

// *result = a sum over `size` words of 32 bits that other words, or the same in another order, would hardly have.
cudaError_t fingerprint(cudaStream_t stream, const void* words, std::size_t size, std::uint64_t* result);

}  // namespace btm::cuda
