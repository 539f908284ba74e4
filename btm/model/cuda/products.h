// Matrix products and attention on the GPU: what cuBLASLt, cuDNN and ATen (flash attention) do best.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <memory>

#include "btm/model/bf16.h"
#include "btm/model/cuda/heads.h"
#include "btm/model/kernels/attention.h"
#include "btm/model/weight_offsets.h"

namespace btm::cuda {

// All of them are given to one stream of the GPU, the same for all in a process. They throw Error(input) when its
// memory is full.
class Products {
 public:
  virtual ~Products() = default;
  virtual cudaStream_t stream() const = 0;

  // y [rows, out] = x [rows, in] w + bias, of layer l whose weights lie at their offsets from `weights`. Rows of y and
  // dy are `stride` numbers apart, at least out; what lies between those of y may change.
  virtual void linear_forward(const LinearOffsets& l, const bf16* weights, int rows, const bf16* x, bf16* y,
                              int stride) = 0;
  // dx [rows, in] = dy [rows, out] w^T
  virtual void linear_backward_input(const LinearOffsets& l, const bf16* weights, int rows, const bf16* dy, int stride,
                                     bf16* dx) = 0;
  // dw += x^T dy, at the offset from `gradients`
  virtual void linear_backward_weight(const LinearOffsets& l, int rows, const bf16* x, const bf16* dy, int stride,
                                      float* gradients) = 0;

  // Causal attention of `sequences` sequences of shape.queries tokens (shape.past is 0). qkv [rows, qkv_width]: heads
  // of queries, keys and values side by side; attended [rows, heads x head_dim]; log_sums [sequences, heads, queries].
  virtual void attention_forward(const AttentionShape& shape, int sequences, const bf16* qkv, bf16* attended,
                                 float* log_sums) = 0;
  // The gradients lie in d_qkv [rows, qkv_width] as `qkv` does, or apart, and then for what `take` gives to the stream
  // and no longer.
  virtual void attention_backward(const AttentionShape& shape, int sequences, const bf16* qkv, const bf16* attended,
                                  const float* log_sums, const bf16* d_attended, bf16* d_qkv,
                                  const std::function<void(const HeadGradients&)>& take) = 0;
};

// Those of ATen, out of a library of btm's own that is opened here for the first time: LibTorch for GPUs takes half a
// second and 500 MB to read, which only what works on a GPU should. Throws Error(input): there is no such LibTorch.
std::unique_ptr<Products> make_products();

}  // namespace btm::cuda
