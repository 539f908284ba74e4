// The output head: hidden states to the log-probabilities of targets, a chunk of rows at a time, so that the logits of
// a whole batch never exist.
#pragma once

#include "btm/core/buffer.h"
#include "btm/core/token.h"
#include "btm/model/linear.h"

namespace btm {

class Head {
 public:
  Head(const LinearOffsets& head, int rows);                       // scratch for chunks of at most `rows` rows
  static std::size_t floats(const LinearOffsets& head, int rows);  // of that scratch

  // hidden [rows, width], log_probs [rows]: 0 where the target is kNoToken.
  void score(const Weights& weights, int rows, const float* hidden, const TokenId* targets, float* log_probs);

  // The same; also writes d_hidden [rows, width] and adds to `gradients` (as the parameters) the gradients of
  // -scale x sum(log_probs).
  void train(const Weights& weights, int rows, const float* hidden, const TokenId* targets, float scale,
             float* log_probs, float* d_hidden, float* gradients);

 private:
  LinearOffsets head_;
  int chunk_;
  Buffer logits_;   // [chunk, vocab]
  Buffer scaled_;   // [chunk, width]
  Buffer factors_;  // [chunk]
};

}  // namespace btm
