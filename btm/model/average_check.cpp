#include "btm/model/average_check.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "btm/core/error.h"
#include "btm/core/folders.h"
#include "btm/core/settings.h"
#include "btm/model/config.h"

namespace btm {
namespace {

// Settings of config.json that may differ: where the model came from, how it is stored, how it was trained, and what
// the tokenizer says too.
constexpr std::array<std::string_view, 10> kFreeSettings{
    "_name_or_path",          "torch_dtype",  "dtype",        "use_cache",   "initializer_range", "architectures",
    "gradient_checkpointing", "bos_token_id", "eos_token_id", "pad_token_id"};

// Hugging Face's names for what belongs to a model beside its weights.
constexpr std::array<std::string_view, 15> kCompanions{
    kConfigFile,          "generation_config.json",  kTokenizerFile,      "tokenizer_config.json",
    "vocab.json",         "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "merges.txt",         "tokenizer.model",         "spiece.model",      "vocab.txt",
    "chat_template.json", "sentencepiece.bpe.model", "tekken.json"};

// Those of them that say which text a token means; a folder has one or more.
constexpr std::array<std::string_view, 8> kVocabularies{kTokenizerFile,    "vocab.json",   "merges.txt",
                                                        "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                                                        "tekken.json",     "vocab.txt"};

bool is_free(std::string_view setting) {
  return std::ranges::find(kFreeSettings, setting) != kFreeSettings.end() || setting.ends_with("_version") ||
         setting.ends_with("dropout") || setting.ends_with("pdrop");
}

// The rotary positions that a config asks for, in one form: "rope_theta" and "rope_scaling" are of transformers 4,
// "rope_parameters" of 5; what is left out is the default.
nlohmann::json rotary(const nlohmann::json& config) {
  nlohmann::json result = {{"rope_theta", config.value("rope_theta", nlohmann::json())}, {"rope_type", "default"}};
  if (result["rope_theta"].is_null()) result["rope_theta"] = 10000;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!config.contains(key) || !config[key].is_object()) continue;
    for (const auto& [name, value] : config[key].items()) result[name == "type" ? "rope_type" : name] = value;
  }
  return result;
}

// Null is a value of its own: there is none.
bool may_be_none(std::string_view setting) {
  return setting == "sliding_window" || setting.ends_with("_softcapping");
}

// transformers' two names of one function.
nlohmann::json one_name(const nlohmann::json& value) {
  if (value == "gelu_pytorch_tanh") return "gelu_new";
  return value == "swish" ? "silu" : value;
}

// Without a sliding window the settings of one mean nothing.
void forget_unused_window(nlohmann::json& config) {
  if (config.value("use_sliding_window", nlohmann::json(true)) != false) return;
  for (const char* key : {"sliding_window", "max_window_layers"}) config.erase(key);
}

// Settings that are left out, or mostly null, are the family's defaults, which aren't known here but for the rotary
// ones.
void check_configs(const fs::path& first, const fs::path& other) {
  const auto read = [](const fs::path& folder) {  // sorted by key, so that the order in the file doesn't count
    return read_json_object<nlohmann::json>(folder / kConfigFile);
  };
  auto a = read(first), b = read(other);
  if (rotary(a) != rotary(b)) {
    throw input_error("{} can't be averaged with {}: its config.json asks for rotary positions by {}, the other by {}",
                      other.string(), first.string(), rotary(b).dump(), rotary(a).dump());
  }
  for (nlohmann::json* config : {&a, &b}) forget_unused_window(*config);
  for (const auto& [key, value] : a.items()) {
    const bool of_rotary = key == "rope_theta" || key == "rope_scaling" || key == "rope_parameters";
    if (is_free(key) || of_rotary || !b.contains(key) || one_name(b[key]) == one_name(value)) continue;
    if ((value.is_null() || b[key].is_null()) && !may_be_none(key)) continue;
    throw input_error("{} can't be averaged with {}: its config.json has {} = {}, the other has {}", other.string(),
                      first.string(), key, b[key].dump(), value.dump());
  }
}

// What a tokenizer.json makes of text: without how long texts are made, and with merges written in one way.
nlohmann::json meaning_of_tokenizer(const fs::path& file) {
  auto json = read_json_object<nlohmann::json>(file);
  for (const char* key : {"version", "truncation", "padding"}) json.erase(key);
  if (!json.contains("model") || !json["model"].is_object() || !json["model"].contains("merges")) return json;
  for (auto& merge : json["model"]["merges"]) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
      merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  return json;
}

bool mean_the_same(const fs::path& first, const fs::path& other) {
  if (same_content(first, other)) return true;
  return first.filename() == kTokenizerFile && meaning_of_tokenizer(first) == meaning_of_tokenizer(other);
}

// A tokenizer.json says all; without it the files that it can be made from do.
void check_tokenizers(const fs::path& first, const fs::path& other) {
  for (const std::string_view name : kVocabularies) {
    const bool has = fs::exists(first / name);
    if (has != fs::exists(other / name)) {
      throw input_error("{} can't be averaged with {}: only one of them has a {}", other.string(), first.string(),
                        name);
    }
    if (has && !mean_the_same(first / name, other / name)) {
      throw input_error("{} can't be averaged with {}: it has another {}, so the same token means other text",
                        other.string(), first.string(), name);
    }
    if (has && name == kTokenizerFile) return;
  }
}

void check_tensors(const WeightFiles& first, const WeightFiles& other) {
  auto refuse = [&](const std::string& name, const std::string& what) {
    return input_error("{} can't be averaged with {}: tensor {} {}", other.folder.string(), first.folder.string(), name,
                       what);
  };
  for (const TensorView* a : first.tensors) {
    const TensorView* b = other.find(a->name);
    if (!b) throw refuse(a->name, "is missing");
    if (a->shape != b->shape) {
      throw refuse(a->name, fmt::format("has shape {}, expected {}", shape_text(b->shape), shape_text(a->shape)));
    }
    if (is_float(a->dtype) != is_float(b->dtype)) {
      throw refuse(a->name, fmt::format("has dtype {}, expected {}", dtype_name(b->dtype), dtype_name(a->dtype)));
    }
    if (!is_float(a->dtype) && (a->dtype != b->dtype || a->bytes != b->bytes)) {
      throw refuse(a->name, fmt::format("({}) has other values, and only floating-point tensors have a mean",
                                        dtype_name(a->dtype)));
    }
  }
  for (const TensorView* b : other.tensors) {
    if (!first.find(b->name)) throw refuse(b->name, "is only in this one");
  }
}

}  // namespace

void check_averageable(const WeightFiles& first, const WeightFiles& other) {
  check_configs(first.folder, other.folder);
  check_tensors(first, other);
  check_tokenizers(first.folder, other.folder);
}

void copy_companions(const fs::path& from, const fs::path& to) {
  for (std::string_view name : kCompanions) {
    if (fs::exists(from / name)) write_file(to / name, read_file(from / name));
  }
  for (const auto& entry : fs::directory_iterator(from)) {  // a model's own code
    if (entry.path().extension() == ".py") write_file(to / entry.path().filename(), read_file(entry.path()));
  }
}

}  // namespace btm
