// Gradients of vectors (of norms and biases), which are sums over rows: of threads that make a pass together, each has
// sums over its own rows, and they add them up block by block.
#pragma once

#include "btm/core/buffer.h"
#include "btm/core/share.h"
#include "btm/model/weight_offsets.h"

namespace btm {

class VectorGradients {
 public:
  VectorGradients(const WeightOffsets& offsets, int members);            // of such a model; all are zero
  static std::size_t floats(const WeightOffsets& offsets, int members);  // of them

  // Where vectors lie among a member's.
  const WeightOffsets& offsets() const { return offsets_; }
  float* of(int member) { return sums_.data() + std::size_t(member) * stride_; }

  // Moves what all members have of a block, of the last and of the final norm, into `gradients`, where a model's lie at
  // `to`. Each member calls it and does its share, after all are through with the block.
  void add(int block, const WeightOffsets& to, float* gradients, const Share& share);

 private:
  WeightOffsets offsets_;
  std::size_t stride_;
  Buffer sums_;  // [members, stride]
};

}  // namespace btm
