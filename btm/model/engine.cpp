#include "btm/model/engine.h"

#include "btm/model/kernels/rope.h"

namespace btm {

Engine::Engine(const ModelConfig& unresolved, int positions)
    : config(resolve(unresolved)),
      offsets(weight_offsets(config)),
      norm(norm_shape(config)),
      rope(rope_of(config, positions)) {}

Buffer rope_of(const ModelConfig& c, int positions) {
  if (c.architecture == Architecture::gpt2) return {};
  return rope_table(positions, head_dim(c), c.rope_theta, c.rope_scaling);
}

std::size_t rope_floats(const ModelConfig& config, int positions) {
  return config.architecture == Architecture::gpt2 ? 0 : std::size_t(positions) * std::size_t(head_dim(config));
}

AttentionShape attention_shape(const ModelConfig& c, int length, Operands operands) {
  if (operands == Operands::int16) operands = Operands::fp32;  // rounding short operands costs what it gains
  return {length, 0, c.heads, c.kv_heads, head_dim(c), operands};
}

}  // namespace btm
