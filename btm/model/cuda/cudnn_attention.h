// Attention by cuDNN: three quarters of flash attention's time on an H200, but a second to start.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "btm/model/bf16.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/kernels/attention.h"

namespace btm::cuda {

// Multiplications of a call from which on it pays: of the 124M model's at a context of 1024 with 6 sequences and more.
// (An expert of 10M parameters at a context of 256 would train for hundreds of thousands of tokens in the time.)
constexpr double kCudnnWork = 4e9;
inline bool worth_cudnn(const AttentionShape& s, int sequences) {
  return static_cast<double>(sequences) * s.heads * s.head_dim * s.queries * s.queries >= kCudnnWork;
}

// Its backward pass, told to add up in one order, keeps the softmax's gradients [heads, queries, queries] in bf16.
// Where those of all sequences are more than this, sequences come in parts.
constexpr std::size_t kCudnnScratch = std::size_t{1} << 30;
inline std::size_t cudnn_scratch(const AttentionShape& s, int sequences) {
  const std::size_t all = sizeof(bf16) * static_cast<std::size_t>(sequences) * static_cast<std::size_t>(s.heads) *
                          static_cast<std::size_t>(s.queries) * static_cast<std::size_t>(s.queries);
  return std::min(all, kCudnnScratch);
}

// For one stream. As Products has it; both return false where they did nothing, since cuDNN can't or since it is not
// worth_cudnn().
class CudnnAttention {
 public:
  CudnnAttention(cudaStream_t stream, Scratch scratch);
  ~CudnnAttention();

  bool forward(const AttentionShape& shape, int sequences, const bf16* qkv, bf16* attended, float* log_sums);
  // d_qkv [rows, qkv_width]: the gradients of heads of queries, keys and values side by side
  bool backward(const AttentionShape& shape, int sequences, const bf16* qkv, const bf16* attended,
                const float* log_sums, const bf16* d_attended, bf16* d_qkv);

 private:
  class Plans;
  std::unique_ptr<Plans> plans_;
};

}  // namespace btm::cuda
