#include "btm/model/cuda/fingerprint.h"

namespace btm::cuda {
namespace {

constexpr int kThreads = 256, kBlocks = 1024;

// splitmix64's mixing (Steele, Lea, Flood 2014)
__device__ inline unsigned long long mix(unsigned long long x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// Sums of whole numbers are the same in any order.
__global__ void fingerprint_kernel(const std::uint32_t* words, std::size_t size, unsigned long long* result) {
  unsigned long long sum = 0;
  for (std::size_t i = std::size_t(blockIdx.x) * kThreads + threadIdx.x; i < size;
       i += std::size_t(kThreads) * kBlocks) {
    sum += mix(i << 32 ^ words[i]);
  }
  atomicAdd(result, sum);
}

}  // namespace

cudaError_t fingerprint(cudaStream_t stream, const void* words, std::size_t size, std::uint64_t* result) {
  if (const cudaError_t answer = cudaMemsetAsync(result, 0, sizeof(*result), stream); answer != cudaSuccess) {
    return answer;
  }
  fingerprint_kernel<<<kBlocks, kThreads, 0, stream>>>(static_cast<const std::uint32_t*>(words), size,
                                                       reinterpret_cast<unsigned long long*>(result));
  return cudaGetLastError();
}

}  // namespace btm::cuda
