#include "btm/model/narrow_weights.h"

#include "btm/core/arena.h"
#include "btm/model/linear.h"
#include "btm/model/weight_offsets.h"

namespace btm {
namespace {

float* take(Arena& arena, NarrowFormat format, const LinearOffsets& l) {
  return arena.take<float>(NarrowMatrix::bytes(format, l.in, l.out) / sizeof(float));
}

std::size_t bytes_of_copies(const ModelConfig& config, NarrowFormat format) {
  Arena counting(nullptr, Buffer::kAlignment);
  for (const LinearOffsets& l : matrices_of(weight_offsets(config))) take(counting, format, l);
  return counting.used();
}

}  // namespace

NarrowWeights::NarrowWeights(const Model& model, NarrowFormat format)
    : storage_(bytes_of_copies(model.config, format) / sizeof(float)) {
  Arena arena(storage_.data(), Buffer::kAlignment);
  for (const LinearOffsets& l : matrices_of(weight_offsets(model.config))) {
    matrices_.try_emplace(l.weight, format, l.in, l.out, linear_view(l, model.parameters.data()),
                          take(arena, format, l));
  }
}

std::size_t NarrowWeights::bytes(const ModelConfig& config, NarrowFormat format) {
  const std::int64_t table = weight_offsets(config).tokens;  // looked up, too, where the head is tied to it
  auto beside = static_cast<std::size_t>(parameter_count(config));
  for (const LinearOffsets& l : matrices_of(weight_offsets(config))) {
    if (l.weight != table) beside -= std::size_t(l.in) * std::size_t(l.out);
  }
  return bytes_of_copies(config, format) + beside * sizeof(float);
}

}  // namespace btm
