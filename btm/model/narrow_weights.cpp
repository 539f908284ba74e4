#include "btm/model/narrow_weights.h"

#include "btm/model/linear.h"
#include "btm/model/weights.h"

namespace btm {
namespace {

// Every matrix of a forward pass.
std::vector<LinearOffsets> matrices_of(const ModelConfig& config) {
  const WeightOffsets offsets = weight_offsets(config);
  std::vector<LinearOffsets> all{offsets.head};
  for (const BlockOffsets& block : offsets.blocks) {
    all.insert(all.end(), {block.qkv, block.project, block.up, block.down});
  }
  return all;
}

}  // namespace

NarrowWeights::NarrowWeights(const Model& model, NarrowFormat format) {
  for (const LinearOffsets& l : matrices_of(model.config)) {
    matrices_.try_emplace(l.weight, format, l.in, l.out, linear_view(l, model.parameters.data()));
  }
}

std::size_t NarrowWeights::bytes(const ModelConfig& config, NarrowFormat format) {
  const std::int64_t table = weight_offsets(config).tokens;  // looked up, too, where the head is tied to it
  std::size_t copies = 0, beside = static_cast<std::size_t>(parameter_count(config));
  for (const LinearOffsets& l : matrices_of(config)) {
    copies += PackedMatrix::bytes(format, l.in, l.out);
    if (l.weight != table) beside -= std::size_t(l.in) * std::size_t(l.out);
  }
  return copies + beside * sizeof(float);
}

}  // namespace btm
