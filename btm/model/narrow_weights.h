// A model's matrices in a narrow number format, for generation: there a step's time is that of reading the weights.
#pragma once

#include <unordered_map>

#include "btm/core/buffer.h"
#include "btm/model/kernels/narrow_matrix.h"
#include "btm/model/parameters.h"

namespace btm {

class NarrowWeights {
 public:
  // Copies of the matrices; embeddings that are looked up, norms and biases stay where they are.
  NarrowWeights(const Model& model, NarrowFormat format);

  // The matrix that the flat parameters have at this offset.
  const NarrowMatrix& at(std::int64_t offset) const { return matrices_.at(offset); }

  // Bytes of the copies and of what is still read from the float32 parameters beside them.
  static std::size_t bytes(const ModelConfig& config, NarrowFormat format);

 private:
  Buffer storage_;  // of all of them: large enough for huge pages
  std::unordered_map<std::int64_t, NarrowMatrix> matrices_;
};

}  // namespace btm
