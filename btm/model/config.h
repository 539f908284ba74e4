// The shape of a language model, as in Hugging Face's config.json.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "btm/core/settings.h"
#include "btm/model/rope_scaling.h"

namespace btm {

enum class Architecture {
  gpt2,   // LayerNorm, learned positions, GELU (tanh form), biases: the paper's
  llama,  // RMSNorm, rotary positions, SwiGLU, grouped-query attention, no biases
  qwen2,  // the same with biases of queries, keys and values
};
inline std::array<std::pair<Architecture, std::string_view>, 3> names(Architecture) {
  return {{{Architecture::gpt2, "gpt2"}, {Architecture::llama, "llama"}, {Architecture::qwen2, "qwen2"}}};
}

struct ModelConfig {
  Architecture architecture = Architecture::gpt2;
  int layers = 4;
  int width = 192;
  int heads = 6;
  int kv_heads = 0;  // 0: as many as heads
  int hidden = 0;    // feed-forward width; 0: 4 x width (gpt2), 8/3 x width rounded up to 32 (the others)
  int context = 256;
  int vocab_size = 0;                   // 0: the tokenizer's
  std::optional<bool> tied_embeddings;  // auto: tied for gpt2, untied for the others
  double norm_epsilon = 1e-5;
  double rope_theta = 10000;
  RopeScaling rope_scaling;
};

template <class F>
void visit(ModelConfig& s, F&& f) {
  f("architecture", s.architecture, "gpt2 or llama; of checkpoints (model.from) qwen2, too");
  f("layers", s.layers, "Transformer blocks");
  f("width", s.width, "size of the hidden state");
  f("heads", s.heads, "attention heads; must divide the width");
  f("kv_heads", s.kv_heads, "key/value heads (not gpt2); 0: as many as heads");
  f("hidden", s.hidden, "feed-forward width; 0: 4 x width (gpt2), 8/3 x width rounded up to 32 (the others)");
  f("context", s.context, "tokens that the model sees at once");
  f("vocab_size", s.vocab_size, "0: the tokenizer's");
  f("tied_embeddings", s.tied_embeddings, "input and output embedding are one; auto: yes for gpt2, no for the others");
  f("norm_epsilon", s.norm_epsilon, "added to the variance in norms");
  f("rope_theta", s.rope_theta, "base of the rotary frequencies (not gpt2)");
  f("rope_scaling", s.rope_scaling, "how they are scaled (not gpt2), as config.json says it");
}

// Fills in what is 0 or auto. Throws Error(input) for shapes that can't be (heads that don't divide the width, ...).
ModelConfig resolve(ModelConfig config);

// What recipes say of a shape: every field, but rope_scaling only where there is some, as before it was known.
Json shape_json(const ModelConfig& config);

std::int64_t parameter_count(const ModelConfig& config);

// Multiply-adds count as two. Forward of one token at full context: 2 x matmul parameters (a tied head counts once)
// + causal attention 2 x layers x context x width; training is three times that (Kaplan et al. 2020, 2001.08361, 2.1).
double forward_flops_per_token(const ModelConfig& config);

Json hugging_face_config(const ModelConfig& config, int end_of_text);        // the content of config.json
ModelConfig from_hugging_face(const Json& config, const std::string& name);  // throws Error(input): unsupported parts

}  // namespace btm
