// Softmax and cross-entropy over rows of logits on the GPU; see ../kernels/loss.h.
#pragma once

#include <cuda_runtime.h>

#include "btm/core/token.h"
#include "btm/model/bf16.h"

namespace btm::cuda {

// log p(targets[row]) of each row of logits [rows, vocab] into log_probs [rows]; 0 where the target is kNoToken. From
// row to row it is padded(vocab) numbers; what lies between is never looked at.
void log_probabilities(cudaStream_t stream, int rows, int vocab, const bf16* logits, const TokenId* targets,
                       float* log_probs);
inline int padded(int vocab) {
  return (vocab + 7) / 8 * 8;  // so that rows begin where a thread can load 8 numbers at once
}

// The same, and turns the logits into the gradient of -scale x log p(target); rows without a target become zero.
void cross_entropy(cudaStream_t stream, int rows, int vocab, bf16* logits, const TokenId* targets, float scale,
                   float* log_probs);

// *sum -= the log_probs [count], added up in a fixed order
void subtract_sum(cudaStream_t stream, int count, const float* log_probs, double* sum);

}  // namespace btm::cuda
