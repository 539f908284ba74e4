#include "btm/model/narrow_weights.h"

#include "btm/model/linear.h"
#include "btm/model/weights.h"

namespace btm {

NarrowWeights::NarrowWeights(const Model& model, NarrowFormat format) {
  for (const LinearOffsets& l : matrices_of(weight_offsets(model.config))) {
    matrices_.try_emplace(l.weight, format, l.in, l.out, linear_view(l, model.parameters.data()));
  }
}

std::size_t NarrowWeights::bytes(const ModelConfig& config, NarrowFormat format) {
  const std::int64_t table = weight_offsets(config).tokens;  // looked up, too, where the head is tied to it
  std::size_t copies = 0, beside = static_cast<std::size_t>(parameter_count(config));
  for (const LinearOffsets& l : matrices_of(weight_offsets(config))) {
    copies += PackedMatrix::bytes(format, l.in, l.out);
    if (l.weight != table) beside -= std::size_t(l.in) * std::size_t(l.out);
  }
  return copies + beside * sizeof(float);
}

}  // namespace btm
