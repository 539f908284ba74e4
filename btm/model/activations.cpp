#include "btm/model/activations.h"

#include <algorithm>

#include "btm/core/arena.h"
#include "btm/model/weight_offsets.h"

namespace btm {
namespace {

OperandArray take_operands(Arena& arena, Operands operands, std::size_t count) {
  if (operands == Operands::bf16) return arena.take<bf16>(count);
  return arena.take<float>(count);
}

BlockActivations take_block(Arena& arena, const ModelConfig& c, std::size_t rows, Operands operands, float* stream) {
  BlockActivations block;
  block.input = stream ? stream : arena.take<float>(rows * c.width);
  block.attention_normed = take_operands(arena, operands, rows * c.width);
  block.attention_statistics = arena.take<float>(rows * 2);
  block.qkv = take_operands(arena, operands, rows * qkv_width(c));
  block.attended = take_operands(arena, operands, rows * c.width);
  block.log_sums = arena.take<float>(rows * c.heads);
  block.middle = stream ? stream : arena.take<float>(rows * c.width);
  block.mlp_normed = take_operands(arena, operands, rows * c.width);
  block.mlp_statistics = arena.take<float>(rows * 2);
  block.up = take_operands(arena, operands, rows * up_width(c));
  return block;
}

void lay_out(ActivationLayout& a, Arena& arena, const ModelConfig& c, std::size_t rows, Keep keep, Operands operands,
             std::size_t workspace) {
  a.final_sum = arena.take<float>(rows * c.width);
  a.final_normed = arena.take<float>(rows * c.width);
  a.final_statistics = arena.take<float>(rows * 2);
  a.activated = take_operands(arena, operands, rows * c.hidden);
  a.projected = arena.take<float>(rows * c.width);
  a.wide = arena.take<float>(operands == Operands::bf16 ? rows * std::max(qkv_width(c), up_width(c)) : 0);
  a.workspace = arena.take<float>(workspace);
  a.blocks.clear();
  for (int i = 0; i < c.layers; ++i) {
    if (keep == Keep::all || i == 0) {
      a.blocks.push_back(take_block(arena, c, rows, operands, keep == Keep::nothing ? a.final_sum : nullptr));
    } else {
      a.blocks.push_back(a.blocks.front());
      if (keep == Keep::inputs) a.blocks.back().input = arena.take<float>(rows * c.width);
    }
  }
}

BlockActivations rows_of(const BlockActivations& all, const ModelConfig& c, std::size_t first) {
  BlockActivations part = all;
  part.input += first * c.width;
  part.attention_normed = all.attention_normed.from(first * c.width);
  part.attention_statistics += first * 2;
  part.qkv = all.qkv.from(first * qkv_width(c));
  part.attended = all.attended.from(first * c.width);
  part.middle += first * c.width;
  part.mlp_normed = all.mlp_normed.from(first * c.width);
  part.mlp_statistics += first * 2;
  part.up = all.up.from(first * up_width(c));
  return part;
}

}  // namespace

void take_rows(const ActivationLayout& all, const ModelConfig& c, int first_row, ActivationLayout& part) {
  const auto first = static_cast<std::size_t>(first_row);
  part.final_sum = all.final_sum + first * c.width;
  part.final_normed = all.final_normed + first * c.width;
  part.final_statistics = all.final_statistics + first * 2;
  part.activated = all.activated.from(first * c.hidden);
  part.projected = all.projected + first * c.width;
  part.wide = all.wide + first * std::max(qkv_width(c), up_width(c));
  part.workspace = all.workspace;
  part.blocks.resize(all.blocks.size());
  for (std::size_t i = 0; i < all.blocks.size(); ++i) part.blocks[i] = rows_of(all.blocks[i], c, first);
}

Activations::Activations(const ModelConfig& config, int rows, Keep keep, Operands operands,
                         std::size_t workspace_floats)
    : storage_(activation_floats(config, rows, keep, operands, workspace_floats)) {
  Arena arena(storage_.data(), Buffer::kAlignment);
  lay_out(*this, arena, config, rows, keep, operands, workspace_floats);
}

std::size_t activation_floats(const ModelConfig& config, int rows, Keep keep, Operands operands,
                              std::size_t workspace_floats) {
  ActivationLayout unplaced;
  Arena counting(nullptr, Buffer::kAlignment);
  lay_out(unplaced, counting, config, static_cast<std::size_t>(rows), keep, operands, workspace_floats);
  return counting.used() / sizeof(float);
}

}  // namespace btm
