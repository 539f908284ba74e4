#include "btm/model/packed_weights.h"

#include <set>

#include "btm/model/kernels/bf16_gemm.h"
#include "btm/model/linear.h"

namespace btm {
namespace {

constexpr std::size_t kLine = Buffer::kAlignment / sizeof(float);

// Of each matrix in one of its two forms, so that all begin at a cache line.
std::size_t whole_lines(std::size_t floats) {
  return (floats + kLine - 1) / kLine * kLine;
}

std::size_t floats_of(const LinearOffsets& l) {
  return whole_lines(bf16_packed_floats(l.in, l.out)) + whole_lines(bf16_packed_floats(l.out, l.in));
}

}  // namespace

PackedWeights::PackedWeights(std::span<const WeightOffsets> models) {
  std::set<std::int64_t> seen;
  std::size_t floats = 0;
  for (const WeightOffsets& offsets : models) {
    for (const LinearOffsets& l : matrices_of(offsets)) {
      if (!seen.insert(l.weight).second) continue;
      matrices_.push_back(l);
      floats += floats_of(l);
    }
  }
  storage_ = Buffer(floats);
  float* next = storage_.data();
  for (const LinearOffsets& l : matrices_) {
    float* backward = next + whole_lines(bf16_packed_floats(l.in, l.out));
    places_[l.weight] = {next, backward};
    next += floats_of(l);
  }
}

std::size_t PackedWeights::bytes(const ModelConfig& config) {
  std::size_t floats = 0;
  for (const LinearOffsets& l : matrices_of(weight_offsets(config))) floats += floats_of(l);
  return floats * sizeof(float);
}

void PackedWeights::pack(const float* parameters, int part, int parts) {
  for (std::size_t i = static_cast<std::size_t>(part); i < matrices_.size(); i += static_cast<std::size_t>(parts)) {
    const LinearOffsets& l = matrices_[i];
    const MatrixView w = linear_view(l, parameters);
    const Place& place = places_.at(l.weight);
    bf16_pack(l.in, l.out, w, place.forward);
    bf16_pack(l.out, l.in, turned(w), place.backward);
  }
}

}  // namespace btm
