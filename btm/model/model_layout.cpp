// The tensors of a model, and where each lies in its flat parameters: their names, order and shapes are here alone.
#include <fmt/format.h>

#include <utility>

#include "btm/core/error.h"
#include "btm/model/parameters.h"
#include "btm/model/weight_offsets.h"

namespace btm {
namespace {

struct Kind {
  bool feed_forward = false, residual_output = false;
};
constexpr Kind kPlain, kProject{.residual_output = true}, kUp{.feed_forward = true},
    kDown{.feed_forward = true, .residual_output = true};

// In the order of the forward pass.
class LayoutBuilder {
 public:
  explicit LayoutBuilder(const ModelConfig& config) : c_(resolve(config)) {
    if (c_.vocab_size == 0) throw failure("the layout of a model whose vocabulary's size is not known yet");
    c_.architecture == Architecture::gpt2 ? add_gpt2() : add_llama();
    const std::int64_t head =
        *c_.tied_embeddings ? offsets.tokens : add("lm_head.weight", {c_.vocab_size, c_.width}, kPlain);
    offsets.head = {head, kAbsent, c_.width, c_.vocab_size, Op::transposed};
  }

  std::vector<ParameterSlice> slices;
  WeightOffsets offsets;

 private:
  std::int64_t add(std::string name, std::vector<std::int64_t> shape, Kind kind) {
    ParameterSlice slice{std::move(name), std::move(shape), end_, 1};
    for (std::int64_t extent : slice.shape) slice.size *= extent;
    slice.decay = slice.shape.size() > 1;
    slice.feed_forward = kind.feed_forward;
    slice.residual_output = kind.residual_output;
    end_ += slice.size;
    slices.push_back(std::move(slice));
    return slices.back().offset;
  }

  NormOffsets add_norm(const std::string& name, bool shift) {
    const std::int64_t gain = add(name + ".weight", {c_.width}, kPlain);
    return {gain, shift ? add(name + ".bias", {c_.width}, kPlain) : kAbsent};
  }

  LinearOffsets add_conv1d(const std::string& name, int in, int out, Kind kind) {
    const std::int64_t weight = add(name + ".weight", {in, out}, kind);
    return {weight, add(name + ".bias", {out}, kind), in, out, Op::none};
  }

  // Several lie side by side, so that one product does them.
  using Outputs = std::initializer_list<std::pair<std::string, int>>;
  LinearOffsets add_linear(Outputs outputs, int in, Kind kind, bool biases = false) {
    LinearOffsets joined{end_, kAbsent, in, 0, Op::transposed};
    for (const auto& [name, out] : outputs) {
      add(name + ".weight", {out, in}, kind);
      joined.out += out;
    }
    if (!biases) return joined;
    joined.bias = end_;
    for (const auto& [name, out] : outputs) add(name + ".bias", {out}, kind);
    return joined;
  }

  // Designated initialisers are evaluated in their order.
  void add_gpt2() {
    offsets.tokens = add("transformer.wte.weight", {c_.vocab_size, c_.width}, kPlain);
    offsets.positions = add("transformer.wpe.weight", {c_.context, c_.width}, kPlain);
    for (int i = 0; i < c_.layers; ++i) {
      const std::string block = fmt::format("transformer.h.{}.", i);
      offsets.blocks.push_back({.attention_norm = add_norm(block + "ln_1", true),
                                .qkv = add_conv1d(block + "attn.c_attn", c_.width, qkv_width(c_), kPlain),
                                .project = add_conv1d(block + "attn.c_proj", c_.width, c_.width, kProject),
                                .mlp_norm = add_norm(block + "ln_2", true),
                                .up = add_conv1d(block + "mlp.c_fc", c_.width, c_.hidden, kUp),
                                .down = add_conv1d(block + "mlp.c_proj", c_.hidden, c_.width, kDown)});
    }
    offsets.final_norm = add_norm("transformer.ln_f", true);
  }

  void add_llama() {
    const int kv = kv_width(c_);
    offsets.tokens = add("model.embed_tokens.weight", {c_.vocab_size, c_.width}, kPlain);
    for (int i = 0; i < c_.layers; ++i) {
      const std::string block = fmt::format("model.layers.{}.", i), attention = block + "self_attn.",
                        mlp = block + "mlp.";
      offsets.blocks.push_back(
          {.attention_norm = add_norm(block + "input_layernorm", false),
           .qkv = add_linear({{attention + "q_proj", c_.width}, {attention + "k_proj", kv}, {attention + "v_proj", kv}},
                             c_.width, kPlain, c_.architecture == Architecture::qwen2),
           .project = add_linear({{attention + "o_proj", c_.width}}, c_.width, kProject),
           .mlp_norm = add_norm(block + "post_attention_layernorm", false),
           .up = add_linear({{mlp + "gate_proj", c_.hidden}, {mlp + "up_proj", c_.hidden}}, c_.width, kUp),
           .down = add_linear({{mlp + "down_proj", c_.width}}, c_.hidden, kDown)});
    }
    offsets.final_norm = add_norm("model.norm", false);
  }

  ModelConfig c_;
  std::int64_t end_ = 0;
};

}  // namespace

std::vector<ParameterSlice> parameter_layout(const ModelConfig& config) {
  return std::move(LayoutBuilder(config).slices);
}

WeightOffsets weight_offsets(const ModelConfig& config) {
  return std::move(LayoutBuilder(config).offsets);
}

}  // namespace btm
