#include "btm/model/weight_offsets.h"

#include <string>
#include <unordered_map>

#include "btm/model/parameters.h"

namespace btm {
namespace {

using OffsetsByName = std::unordered_map<std::string, std::int64_t>;

BlockOffsets gpt2_block(const OffsetsByName& at, const ModelConfig& c, int layer) {
  auto offset = [&at, prefix = fmt::format("transformer.h.{}.", layer)](const char* name) {
    return at.at(prefix + name);
  };
  auto conv1d = [&offset](const std::string& name, int in, int out) {
    return LinearOffsets{offset((name + ".weight").c_str()), offset((name + ".bias").c_str()), in, out, Op::none};
  };
  return {.attention_norm = {offset("ln_1.weight"), offset("ln_1.bias")},
          .qkv = conv1d("attn.c_attn", c.width, qkv_width(c)),
          .project = conv1d("attn.c_proj", c.width, c.width),
          .mlp_norm = {offset("ln_2.weight"), offset("ln_2.bias")},
          .up = conv1d("mlp.c_fc", c.width, c.hidden),
          .down = conv1d("mlp.c_proj", c.hidden, c.width)};
}

BlockOffsets llama_block(const OffsetsByName& at, const ModelConfig& c, int layer) {
  auto offset = [&at, prefix = fmt::format("model.layers.{}.", layer)](const char* name) {
    return at.at(prefix + name);
  };
  auto linear = [&offset](const char* first, int in, int out) {
    return LinearOffsets{offset(first), kAbsent, in, out, Op::transposed};
  };
  return {.attention_norm = {offset("input_layernorm.weight"), kAbsent},
          .qkv = linear("self_attn.q_proj.weight", c.width, qkv_width(c)),
          .project = linear("self_attn.o_proj.weight", c.width, c.width),
          .mlp_norm = {offset("post_attention_layernorm.weight"), kAbsent},
          .up = linear("mlp.gate_proj.weight", c.width, up_width(c)),
          .down = linear("mlp.down_proj.weight", c.hidden, c.width)};
}

}  // namespace

WeightOffsets weight_offsets(const ModelConfig& c) {
  OffsetsByName at;
  for (const auto& slice : parameter_layout(c)) at[slice.name] = slice.offset;
  WeightOffsets offsets;
  if (c.architecture == Architecture::gpt2) {
    offsets.tokens = at.at("transformer.wte.weight");
    offsets.positions = at.at("transformer.wpe.weight");
    for (int i = 0; i < c.layers; ++i) offsets.blocks.push_back(gpt2_block(at, c, i));
    offsets.final_norm = {at.at("transformer.ln_f.weight"), at.at("transformer.ln_f.bias")};
  } else {
    offsets.tokens = at.at("model.embed_tokens.weight");
    for (int i = 0; i < c.layers; ++i) offsets.blocks.push_back(llama_block(at, c, i));
    offsets.final_norm = {at.at("model.norm.weight"), kAbsent};
  }
  const std::int64_t head = *c.tied_embeddings ? offsets.tokens : at.at("lm_head.weight");
  offsets.head = {head, kAbsent, c.width, c.vocab_size, Op::transposed};
  return offsets;
}

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
