// Matrix products and attention on the GPU: what ATen (cuBLAS, flash attention) does best. products.cpp is all of the
// GPU's code that knows of LibTorch.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "btm/model/bf16.h"
#include "btm/model/kernels/attention.h"
#include "btm/model/weights.h"

namespace btm::cuda {

// A stream of the GPU that products can be put on. Throws Error(input) if the torch that btm is linked with knows no
// GPU.
class ProductStream {
 public:
  ProductStream();
  ~ProductStream();
  ProductStream(const ProductStream&) = delete;
  ProductStream& operator=(const ProductStream&) = delete;
  cudaStream_t get() const;

 private:
  friend class CurrentStream;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// y [rows, out] = x [rows, in] w + bias, of layer l whose weights lie at their offsets from `weights`. Rows of y and dy
// are `stride` numbers apart, at least out.
void linear_forward(const ProductStream& stream, const LinearOffsets& l, const bf16* weights, int rows, const bf16* x,
                    bf16* y, int stride);
// dx [rows, in] = dy [rows, out] w^T
void linear_backward_input(const ProductStream& stream, const LinearOffsets& l, const bf16* weights, int rows,
                           const bf16* dy, int stride, bf16* dx);
// dw += x^T dy, at the offset from `gradients`
void linear_backward_weight(const ProductStream& stream, const LinearOffsets& l, int rows, const bf16* x,
                            const bf16* dy, int stride, float* gradients);

// Causal attention of `sequences` sequences of shape.queries tokens (shape.past is 0). qkv [rows, qkv_width]: heads of
// queries, keys and values side by side; attended [rows, heads x head_dim]; log_sums [sequences, heads, queries].
void attention_forward(const ProductStream& stream, const AttentionShape& shape, int sequences, const bf16* qkv,
                       bf16* attended, float* log_sums);
void attention_backward(const ProductStream& stream, const AttentionShape& shape, int sequences, const bf16* qkv,
                        const bf16* attended, const float* log_sums, const bf16* d_attended, bf16* d_qkv);

}  // namespace btm::cuda
