#include "btm/model/weight_offsets.h"

namespace btm {

NormShape norm_shape(const ModelConfig& c) {
  return {c.architecture == Architecture::gpt2, c.width, static_cast<float>(c.norm_epsilon)};
}

std::vector<LinearOffsets> matrices_of(const WeightOffsets& offsets) {
  std::vector<LinearOffsets> all{offsets.head};
  for (const BlockOffsets& block : offsets.blocks) {
    all.insert(all.end(), {block.qkv, block.project, block.up, block.down});
  }
  return all;
}

}  // namespace btm
