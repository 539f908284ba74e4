#include "btm/model/packed_weights.h"

#include <set>

#include "btm/core/arena.h"
#include "btm/model/linear.h"

namespace btm {
namespace {

// Both forms of a matrix.
PackedWeights::Place take_place(Arena& arena, const LinearOffsets& l, Operands operands) {
  float* forward = arena.take<float>(packed_floats(l.in, l.out, operands));
  return {forward, arena.take<float>(packed_floats(l.out, l.in, operands))};
}

std::vector<LinearOffsets> matrices_of_all(std::span<const WeightOffsets> models) {
  std::set<std::int64_t> seen;
  std::vector<LinearOffsets> all;
  for (const WeightOffsets& offsets : models) {
    for (const LinearOffsets& l : matrices_of(offsets)) {
      if (seen.insert(l.weight).second) all.push_back(l);
    }
  }
  return all;
}

std::size_t bytes_of(std::span<const LinearOffsets> matrices, Operands operands) {
  Arena counting(nullptr, Buffer::kAlignment);
  for (const LinearOffsets& l : matrices) take_place(counting, l, operands);
  return counting.used();
}

}  // namespace

PackedWeights::PackedWeights(std::span<const WeightOffsets> models, Operands operands)
    : operands_(operands), matrices_(matrices_of_all(models)) {
  storage_ = Buffer(bytes_of(matrices_, operands) / sizeof(float));
  Arena arena(storage_.data(), Buffer::kAlignment);
  for (const LinearOffsets& l : matrices_) places_[l.weight] = take_place(arena, l, operands);
}

std::size_t PackedWeights::bytes(std::span<const WeightOffsets> models, Operands operands) {
  return bytes_of(matrices_of_all(models), operands);
}

void PackedWeights::pack(const float* parameters, const Share& share) {
  for (const LinearOffsets& l : matrices_) {
    const MatrixView w = linear_view(l, parameters);
    const Place& place = places_.at(l.weight);
    btm::pack(l.in, l.out, w, place.forward, operands_, share);
    btm::pack(l.out, l.in, transpose(w), place.backward, operands_, share);
  }
}

}  // namespace btm
