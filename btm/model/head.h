// The output head: hidden states to the log-probabilities of targets, a chunk of rows at a time, so that the logits of
// a whole batch never exist.
#pragma once

#include "btm/core/buffer.h"
#include "btm/core/token.h"

namespace btm {

struct HeadShape {
  int width;
  int vocab;
};

class Head {
 public:
  Head(HeadShape shape, int rows);  // scratch for chunks of at most `rows` rows

  // weights [vocab, width], hidden [rows, width], log_probs [rows]: 0 where the target is kNoToken.
  void score(const float* weights, int rows, const float* hidden, const TokenId* targets, float* log_probs);

  // The same; also writes d_hidden [rows, width] and adds to d_weights the gradients of -scale x sum(log_probs).
  void train(const float* weights, int rows, const float* hidden, const TokenId* targets, float scale, float* log_probs,
             float* d_hidden, float* d_weights);

 private:
  HeadShape shape_;
  int chunk_;
  Buffer logits_;   // [chunk, vocab]
  Buffer scaled_;   // [chunk, width]
  Buffer factors_;  // [chunk]
};

// logits [rows, vocab] = hidden [rows, width] weights^T
void head_logits(HeadShape shape, const float* weights, int rows, const float* hidden, float* logits);

}  // namespace btm
