#include "btm/model/parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "btm/core/random.h"

namespace btm {
namespace {

constexpr double kInitialDeviation = 0.02;  // Radford et al. 2019, GPT-2

class Layout {
 public:
  void add(std::string name, std::vector<std::int64_t> shape) {
    ParameterSlice slice{std::move(name), std::move(shape), end_, 1, false};
    for (std::int64_t extent : slice.shape) slice.size *= extent;
    slice.decay = slice.shape.size() > 1;
    end_ += slice.size;
    slices_.push_back(std::move(slice));
  }
  void add_norm(const std::string& name, int width, bool bias) {
    add(name + ".weight", {width});
    if (bias) add(name + ".bias", {width});
  }
  void add_conv1d(const std::string& name, int in, int out) {
    add(name + ".weight", {in, out});
    add(name + ".bias", {out});
  }
  std::vector<ParameterSlice> take() { return std::move(slices_); }

 private:
  std::vector<ParameterSlice> slices_;
  std::int64_t end_ = 0;
};

void add_gpt2(Layout& layout, const ModelConfig& c) {
  layout.add("transformer.wte.weight", {c.vocab_size, c.width});
  layout.add("transformer.wpe.weight", {c.context, c.width});
  for (int i = 0; i < c.layers; ++i) {
    std::string block = fmt::format("transformer.h.{}.", i);
    layout.add_norm(block + "ln_1", c.width, true);
    layout.add_conv1d(block + "attn.c_attn", c.width, 3 * c.width);
    layout.add_conv1d(block + "attn.c_proj", c.width, c.width);
    layout.add_norm(block + "ln_2", c.width, true);
    layout.add_conv1d(block + "mlp.c_fc", c.width, c.hidden);
    layout.add_conv1d(block + "mlp.c_proj", c.hidden, c.width);
  }
  layout.add_norm("transformer.ln_f", c.width, true);
}

// q, k, v and gate, up lie side by side, so that one GEMM does them.
void add_llama(Layout& layout, const ModelConfig& c) {
  int kv_width = c.width / c.heads * c.kv_heads;
  layout.add("model.embed_tokens.weight", {c.vocab_size, c.width});
  for (int i = 0; i < c.layers; ++i) {
    std::string block = fmt::format("model.layers.{}.", i);
    layout.add_norm(block + "input_layernorm", c.width, false);
    layout.add(block + "self_attn.q_proj.weight", {c.width, c.width});
    layout.add(block + "self_attn.k_proj.weight", {kv_width, c.width});
    layout.add(block + "self_attn.v_proj.weight", {kv_width, c.width});
    layout.add(block + "self_attn.o_proj.weight", {c.width, c.width});
    layout.add_norm(block + "post_attention_layernorm", c.width, false);
    layout.add(block + "mlp.gate_proj.weight", {c.hidden, c.width});
    layout.add(block + "mlp.up_proj.weight", {c.hidden, c.width});
    layout.add(block + "mlp.down_proj.weight", {c.width, c.hidden});
  }
  layout.add_norm("model.norm", c.width, false);
}

bool is_residual_output(const std::string& name) {
  return name.ends_with(".c_proj.weight") || name.ends_with(".o_proj.weight") || name.ends_with(".down_proj.weight");
}

}  // namespace

std::vector<ParameterSlice> parameter_layout(const ModelConfig& config) {
  ModelConfig c = resolve(config);
  if (c.vocab_size == 0) throw failure("parameter_layout: the vocabulary's size is not known yet");
  Layout layout;
  if (c.architecture == Architecture::gpt2) {
    add_gpt2(layout, c);
  } else {
    add_llama(layout, c);
  }
  if (!*c.tied_embeddings) layout.add("lm_head.weight", {c.vocab_size, c.width});
  return layout.take();
}

Model random_model(const ModelConfig& config, std::uint64_t seed) {
  Model model{resolve(config), Buffer(static_cast<std::size_t>(parameter_count(config)))};
  double residual_deviation = kInitialDeviation / std::sqrt(2.0 * model.config.layers);
  for (const auto& slice : parameter_layout(model.config)) {
    float* values = model.parameters.data() + slice.offset;
    if (slice.shape.size() == 1) {
      std::fill_n(values, slice.size, slice.name.ends_with(".weight") ? 1.0f : 0.0f);
      continue;
    }
    // One stream a tensor: its values don't depend on the tensors before it.
    Random random(seed, slice.name);
    double deviation = is_residual_output(slice.name) ? residual_deviation : kInitialDeviation;
    for (std::int64_t i = 0; i < slice.size; ++i) values[i] = static_cast<float>(deviation * random.normal());
  }
  return model;
}

}  // namespace btm
