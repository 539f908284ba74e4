// config.json of GPT2LMHeadModel, LlamaForCausalLM and Qwen2ForCausalLM, as transformers 4 and 5 write and read it.
#include <initializer_list>

#include "btm/model/config.h"

namespace btm {
namespace {

// Typed access to the keys of one config.json, with its name in messages.
class Fields {
 public:
  Fields(const Json& config, const std::string& name) : config_(config), name_(name) {}

  bool has(const char* key) const { return config_.contains(key) && !config_.at(key).is_null(); }

  void require(const char* key) const {
    if (!has(key)) throw input_error("{}: \"{}\" is missing", name_, key);
  }
  int integer(const char* key) const {
    require(key);
    return integer(key, 0);
  }
  int integer(const char* key, int missing) const {
    if (!has(key)) return missing;
    const Json& value = config_.at(key);
    if (!value.is_number_integer() || value < 0 || value > (1 << 30)) wrong(key, "a whole number");
    return value.get<int>();
  }
  double number(const char* key) const {
    require(key);
    return number(key, 0);
  }
  double number(const char* key, double missing) const {
    if (!has(key)) return missing;
    if (!config_.at(key).is_number()) wrong(key, "a number");
    return config_.at(key).get<double>();
  }
  bool flag(const char* key, bool missing) const {
    if (!has(key)) return missing;
    if (!config_.at(key).is_boolean()) wrong(key, "true or false");
    return config_.at(key).get<bool>();
  }
  std::string text(const char* key, const char* missing) const {
    if (!has(key)) return missing;
    if (!config_.at(key).is_string()) wrong(key, "a text");
    return config_.at(key).get<std::string>();
  }
  const Json& at(const char* key) const { return config_.at(key); }
  const std::string& name() const { return name_; }

  void require_flag(const char* key, bool needed) const {
    if (flag(key, needed) != needed) unsupported(key, needed ? "true" : "false");
  }
  void require_text(const char* key, std::initializer_list<const char*> supported) const {
    std::string value = text(key, *supported.begin());
    for (const char* word : supported) {
      if (value == word) return;
    }
    unsupported(key, *supported.begin());
  }
  // The value that the word of this key stands for.
  template <class T>
  T value_of(const char* key, const std::string& word, const char* supported) const {
    for (const auto& [value, known] : names(T{})) {
      if (word == known) return value;
    }
    unsupported(key, supported);
  }
  [[noreturn]] void unsupported(const char* key, const std::string& supported) const {
    throw input_error("{}: \"{}\": {} is not supported; only {} is", name_, key, at(key).dump(), supported);
  }

 private:
  [[noreturn]] void wrong(const char* key, const char* expected) const {
    throw input_error("{}: \"{}\" is {}; expected {}", name_, key, at(key).dump(), expected);
  }

  const Json& config_;
  std::string name_;
};

// Where transformers' other name of a key is there, too, it wins; one that says something else is a slip.
int gpt2_extent(const Fields& f, const char* key, const char* alias) {
  const int value = f.integer(key);
  if (f.integer(alias, value) != value) f.unsupported(alias, fmt::format("the {} of \"{}\"", value, key));
  return value;
}

ModelConfig read_gpt2(const Fields& f) {
  f.require_text("activation_function", {"gelu_new", "gelu_pytorch_tanh"});  // two names of the tanh form
  f.require_flag("scale_attn_weights", true);
  f.require_flag("scale_attn_by_inverse_layer_idx", false);
  f.require_flag("add_cross_attention", false);
  ModelConfig c;
  c.architecture = Architecture::gpt2;
  c.layers = gpt2_extent(f, "n_layer", "num_hidden_layers");
  c.width = gpt2_extent(f, "n_embd", "hidden_size");
  c.heads = gpt2_extent(f, "n_head", "num_attention_heads");
  c.hidden = f.integer("n_inner", 0);
  c.context = gpt2_extent(f, "n_positions", "max_position_embeddings");
  c.vocab_size = f.integer("vocab_size");
  c.norm_epsilon = f.number("layer_norm_epsilon", 1e-5);
  c.tied_embeddings = f.flag("tie_word_embeddings", true);
  return c;
}

// The rotary frequencies.
struct Rope {
  double theta = 10000;
  RopeScaling scaling;
};

// What one of the two keys says; what it leaves out is as in `missing`.
Rope read_rope_of(const Fields& f, const char* key, Rope missing) {
  if (!f.at(key).is_object()) f.unsupported(key, "an object");
  const Fields rope(f.at(key), f.name() + ": " + key);
  if (rope.number("partial_rotary_factor", 1) != 1) f.unsupported(key, "partial_rotary_factor 1");
  Rope r{rope.number("rope_theta", missing.theta), {}};
  RopeScaling& s = r.scaling;
  const std::string type = rope.text("rope_type", rope.text("type", "default").c_str());
  s.rope_type = f.value_of<RopeType>(key, type, "rope_type default, linear or llama3");
  if (s.rope_type == RopeType::plain) return r;
  s.factor = rope.number("factor");
  if (s.rope_type == RopeType::linear) return r;
  s.low_freq_factor = rope.number("low_freq_factor");
  s.high_freq_factor = rope.number("high_freq_factor");
  s.original_max_position_embeddings = rope.integer("original_max_position_embeddings");
  if (f.integer("original_max_position_embeddings", s.original_max_position_embeddings) !=
      s.original_max_position_embeddings) {
    f.unsupported("original_max_position_embeddings",
                  fmt::format("the {} of {}", s.original_max_position_embeddings, key));
  }
  return r;
}

// transformers 4 has "rope_theta" and "rope_scaling", 5 "rope_parameters"; where all are there they must say one thing.
Rope read_rope(const Fields& f) {
  Rope r;
  r.theta = f.number("rope_theta", r.theta);
  if (f.has("rope_scaling")) r = read_rope_of(f, "rope_scaling", r);
  if (f.has("rope_parameters")) {
    const Rope own = read_rope_of(f, "rope_parameters", r);
    const bool same = own.theta == r.theta && settings_json(own.scaling) == settings_json(r.scaling);
    if (f.has("rope_scaling") && !same) {
      f.unsupported("rope_parameters", "the frequencies of rope_scaling, which is there, too");
    }
    r = own;
  }
  if (f.number("partial_rotary_factor", 1) != 1) f.unsupported("partial_rotary_factor", "1");
  return r;
}

ModelConfig read_llama(const Fields& f, Architecture architecture) {
  f.require_text("hidden_act", {"silu", "swish"});  // two names of one function
  if (architecture == Architecture::llama) {
    f.require_flag("attention_bias", false);
    f.require_flag("mlp_bias", false);
  } else {
    f.require_flag("use_sliding_window", false);
  }
  ModelConfig c;
  c.architecture = architecture;
  c.layers = f.integer("num_hidden_layers");
  c.width = f.integer("hidden_size");
  c.heads = f.integer("num_attention_heads");
  c.kv_heads = f.integer("num_key_value_heads", c.heads);
  c.hidden = f.integer("intermediate_size");
  c.context = f.integer("max_position_embeddings", architecture == Architecture::qwen2 ? 32768 : 2048);
  c.vocab_size = f.integer("vocab_size");
  c.norm_epsilon = f.number("rms_norm_eps", 1e-6);
  const Rope rope = read_rope(f);
  c.rope_theta = rope.theta;
  c.rope_scaling = rope.scaling;
  c.tied_embeddings = f.flag("tie_word_embeddings", false);
  if (f.has("head_dim") && c.heads > 0 && std::int64_t{f.integer("head_dim")} * c.heads != c.width) {
    f.unsupported("head_dim", "hidden_size / num_attention_heads");
  }
  return c;
}

Json gpt2_json(const ModelConfig& c) {
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"n_layer", c.layers},
          {"n_embd", c.width},
          {"n_head", c.heads},
          {"n_inner", c.hidden},
          {"n_positions", c.context},
          {"n_ctx", c.context},
          {"vocab_size", c.vocab_size},
          {"activation_function", "gelu_new"},
          {"layer_norm_epsilon", c.norm_epsilon},
          {"tie_word_embeddings", *c.tied_embeddings},
          {"scale_attn_weights", true},
          {"scale_attn_by_inverse_layer_idx", false},
          {"embd_pdrop", 0.0},
          {"attn_pdrop", 0.0},
          {"resid_pdrop", 0.0}};
}

Json rope_json(const RopeScaling& s) {
  Json json = {{"rope_type", to_word(s.rope_type)}};
  if (s.rope_type == RopeType::plain) return json;
  json["factor"] = s.factor;
  if (s.rope_type == RopeType::linear) return json;
  json["low_freq_factor"] = s.low_freq_factor;
  json["high_freq_factor"] = s.high_freq_factor;
  json["original_max_position_embeddings"] = s.original_max_position_embeddings;
  return json;
}

Json llama_json(const ModelConfig& c) {
  const bool qwen2 = c.architecture == Architecture::qwen2;
  Json json = {{"architectures", {qwen2 ? "Qwen2ForCausalLM" : "LlamaForCausalLM"}},
               {"model_type", to_word(c.architecture)},
               {"num_hidden_layers", c.layers},
               {"hidden_size", c.width},
               {"num_attention_heads", c.heads},
               {"num_key_value_heads", c.kv_heads},
               {"head_dim", c.width / c.heads},
               {"intermediate_size", c.hidden},
               {"max_position_embeddings", c.context},
               {"vocab_size", c.vocab_size},
               {"hidden_act", "silu"},
               {"rms_norm_eps", c.norm_epsilon},
               {"rope_theta", c.rope_theta},
               {"rope_parameters", rope_json(c.rope_scaling)},
               {"tie_word_embeddings", *c.tied_embeddings}};
  for (const char* key : qwen2 ? std::vector{"use_sliding_window"} : std::vector{"attention_bias", "mlp_bias"}) {
    json[key] = false;
  }
  json["attention_dropout"] = 0.0;
  json["rope_parameters"]["rope_theta"] = c.rope_theta;
  if (c.rope_scaling.rope_type != RopeType::plain) json["rope_scaling"] = rope_json(c.rope_scaling);
  return json;
}

}  // namespace

Json hugging_face_config(const ModelConfig& config, int end_of_text) {
  ModelConfig c = resolve(config);
  Json json = c.architecture == Architecture::gpt2 ? gpt2_json(c) : llama_json(c);
  json["initializer_range"] = 0.02;
  if (end_of_text >= 0) json["bos_token_id"] = json["eos_token_id"] = end_of_text;
  json["use_cache"] = true;
  json["torch_dtype"] = "float32";  // transformers 4
  json["dtype"] = "float32";        // transformers 5
  return json;
}

ModelConfig from_hugging_face(const Json& config, const std::string& name) {
  if (!config.is_object()) throw input_error("{}: not a JSON object", name);
  Fields f(config, name);
  f.require("model_type");
  const auto architecture = f.value_of<Architecture>("model_type", f.text("model_type", ""), "gpt2, llama or qwen2");
  if (f.has("quantization_config")) f.unsupported("quantization_config", "a checkpoint without it");
  f.require_flag("is_causal", true);
  const ModelConfig c = architecture == Architecture::gpt2 ? read_gpt2(f) : read_llama(f, architecture);
  if (c.vocab_size == 0) throw input_error("{}: \"vocab_size\" is 0", name);
  return with_context(name, [&] { return resolve(c); });
}

}  // namespace btm
