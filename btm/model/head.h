// The output head: hidden states to the log-probabilities of targets, a chunk of rows at a time, so that the logits of
// a whole batch never exist.
#pragma once

#include "btm/core/buffer.h"
#include "btm/core/share.h"
#include "btm/core/token.h"
#include "btm/model/linear.h"

namespace btm {

class Head {
 public:
  // Scratch for at most `rows` rows, and for `members` threads that share them.
  Head(const LinearOffsets& head, int rows, int members = 1);
  static std::size_t floats(const LinearOffsets& head, int rows, int members = 1);  // of that scratch

  // hidden [rows, width], log_probs [rows]: 0 where the target is kNoToken.
  void score(const Weights& weights, int rows, const float* hidden, const TokenId* targets, float* log_probs);

  // The same; also writes d_hidden [rows, width] and adds to `gradients` (as the parameters) the gradients of
  // -scale x sum(log_probs). Each of several members calls it with the same rows; those that are its share are done
  // when it returns.
  void train(const Weights& weights, const Share& share, int rows, const float* hidden, const TokenId* targets,
             float scale, float* log_probs, float* d_hidden, float* gradients);

 private:
  // A member's scratch.
  float* logits(int member) { return logits_.data() + std::size_t(member) * chunk_ * head_.out; }
  float* scaled(int member) { return scaled_.data() + std::size_t(member) * chunk_ * head_.in; }

  LinearOffsets head_;
  int chunk_;       // rows of a member at a time
  Buffer logits_;   // [members, chunk, vocab]
  Buffer scaled_;   // [members, chunk, width]
  Buffer factors_;  // [members, chunk]
};

}  // namespace btm
