// A model's matrices as the products of training want them, packed once an update for all of its passes.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/model/weights.h"

namespace btm {

// In bfloat16, for both passes; only where cpu_multiplies_bf16(). Takes 4 bytes a number.
class PackedWeights {
 public:
  struct Place {  // of a matrix in the storage
    float *forward, *backward;
  };

  // Of the models with these offsets in one flat array of parameters (DEMix's domains share matrices).
  explicit PackedWeights(std::span<const WeightOffsets> models);
  static std::size_t bytes(const ModelConfig& config);  // of one plain model

  // Packs part `part` of `parts` of them anew; threads may take a part each.
  void pack(const float* parameters, int part, int parts);

  const float* forward(const LinearOffsets& l) const { return places_.at(l.weight).forward; }    // w [in, out]
  const float* backward(const LinearOffsets& l) const { return places_.at(l.weight).backward; }  // w^T [out, in]

 private:
  std::vector<LinearOffsets> matrices_;
  std::unordered_map<std::int64_t, Place> places_;  // by the weight's offset
  Buffer storage_;
};

}  // namespace btm
