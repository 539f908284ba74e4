// A model's matrices as the products of training want them, packed once an update for all of its passes.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/model/kernels/packed_gemm.h"
#include "btm/model/weight_offsets.h"

namespace btm {

// For both passes. Takes 4 bytes a number where 16 bits are multiplied, 8 in float32.
class PackedWeights {
 public:
  struct Place {  // of a matrix in the storage
    float *forward, *backward;
  };

  // Of the models with these offsets in one flat array of parameters (DEMix's domains share matrices).
  PackedWeights(std::span<const WeightOffsets> models, Operands operands);
  static std::size_t bytes(std::span<const WeightOffsets> models, Operands operands);  // of them

  // Packs a share of each of them anew.
  void pack(const float* parameters, const Share& share);

  PackedView forward(const LinearOffsets& l) const { return {places_.at(l.weight).forward, l.in, l.out}; }    // w
  PackedView backward(const LinearOffsets& l) const { return {places_.at(l.weight).backward, l.out, l.in}; }  // w^T

 private:
  Operands operands_;
  std::vector<LinearOffsets> matrices_;
  std::unordered_map<std::int64_t, Place> places_;  // by the weight's offset
  Buffer storage_;
};

}  // namespace btm
