// Softmax and cross-entropy over rows of logits.
#pragma once

#include <cstddef>

#include "btm/core/token.h"
#include "btm/model/operands.h"

namespace btm {

// log p(targets[row]) of each row of logits [rows, vocab] into log_probs [rows]; 0 where the target is kNoToken.
void log_probabilities(int rows, int vocab, const float* logits, const TokenId* targets, float* log_probs);

// The same, and turns the logits into the gradient of -log p(target) up to a factor: row x factors[row] is the gradient
// times `scale`. (The factor is left to the caller, who applies it to the narrow operands of the products that follow.)
// Rows without a target become zero. The gradient [rows, vocab] comes back in `format`, at the start of the logits'
// memory.
OperandArray cross_entropy(int rows, int vocab, float* logits, const TokenId* targets, float scale, Operands format,
                           float* log_probs, float* factors);

// softmax(scale x logits [vocab]) into p [vocab]; nothing comes out smaller than about 1e-38 of the largest
void softmax(int vocab, const float* logits, float scale, float* p);
// x = log x, of [count] numbers; of those below 1e-37 that of 1e-37
void take_logs(int count, float* x);
// sum [vocab] += weight x softmax(logits [vocab])
void add_probabilities(int vocab, const float* logits, float weight, float* sum);
// sum [vocab] += weight x log softmax(logits [vocab])
void add_log_probabilities(int vocab, const float* logits, float weight, float* sum);

// Multiplies each row of x [rows, width] by its factor, into y (which may be x).
void scale_rows(int rows, int width, const float* factors, const float* x, OperandArray y);

}  // namespace btm
