#include "btm/model/checkpoint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/mapped_file.h"
#include "btm/model/weight_files.h"

namespace btm {
namespace {

constexpr const char* kGenerationFile = "generation_config.json";
constexpr std::array<const char*, 3> kTokenIds{"bos_token_id", "eos_token_id", "pad_token_id"};

// What transformers puts before the names of the body's tensors; checkpoints of the body alone lack it.
constexpr std::array<std::string_view, 2> kPrefixes{"transformer.", "model."};

// Masks and rotary frequencies that older versions of transformers saved; all are functions of the config.
constexpr std::array<std::string_view, 4> kBufferEndings{".attn.bias", ".attn.masked_bias",
                                                         ".self_attn.rotary_emb.inv_freq", ".self_attn.masked_bias"};

std::string without_prefix(const std::string& name) {
  for (std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

const TensorView* find_tensor(const WeightFiles& weights, const std::string& name) {
  const TensorView* tensor = weights.find(name);
  return tensor ? tensor : weights.find(without_prefix(name));
}

bool ignorable(const std::string& name, const ModelConfig& config) {
  if (name == "lm_head.weight") return config.tied_embeddings.value_or(false);
  return std::ranges::any_of(kBufferEndings, [&](std::string_view ending) { return name.ends_with(ending); });
}

void check_tensor(const fs::path& folder, const TensorView* found, const ParameterSlice& slice) {
  if (!found) {
    throw input_error("{}: tensor {} with shape {} is missing", folder.string(), slice.name, shape_text(slice.shape));
  }
  const TensorView& tensor = *found;
  if (tensor.shape != slice.shape) {
    throw input_error("{}: tensor {} has shape {}, but {} asks for {}", folder.string(), tensor.name,
                      shape_text(tensor.shape), kConfigFile, shape_text(slice.shape));
  }
  if (!is_float(tensor.dtype)) {
    throw input_error("{}: tensor {} has dtype {}; expected F32, BF16 or F16 (quantized checkpoints are not supported)",
                      folder.string(), tensor.name, dtype_name(tensor.dtype));
  }
}

void refuse_unknown(const WeightFiles& weights, const std::vector<ParameterSlice>& layout, const ModelConfig& config) {
  std::set<std::string> known;
  for (const ParameterSlice& slice : layout) {
    const std::string plain = without_prefix(slice.name);
    known.insert({slice.name, plain});
    if (plain == slice.name || !weights.find(slice.name) || !weights.find(plain)) continue;
    throw input_error("{}: tensors {} and {} are one of the model's; delete one of them", weights.folder.string(),
                      slice.name, plain);
  }
  for (const TensorView* tensor : weights.tensors) {
    if (!known.contains(tensor->name) && !ignorable(tensor->name, config)) {
      throw input_error("{}: tensor {} with shape {} has no place in the model of {}", weights.folder.string(),
                        tensor->name, shape_text(tensor->shape), kConfigFile);
    }
  }
}

// transformers 4 overwrites such a head, 5 keeps it.
void check_tied_head(const WeightFiles& weights, const TensorView& embeddings) {
  const TensorView* head = weights.find("lm_head.weight");
  if (!head || head == &embeddings) return;
  if (head->dtype == embeddings.dtype && head->shape == embeddings.shape && head->bytes == embeddings.bytes) return;
  throw input_error(
      "{}: {} ties the output embedding to the input's, but lm_head.weight differs from {}; set tie_word_embeddings to "
      "false to use it, or delete it",
      weights.folder.string(), kConfigFile, embeddings.name);
}

// A checkpoint folder whose tensors are all there and fit its config.
struct Stored {
  ModelConfig config;
  WeightFiles weights;
  std::vector<ParameterSlice> layout;
  std::vector<const TensorView*> tensors;  // as layout
};

Stored open_stored(const fs::path& folder) {
  ModelConfig config = load_config(folder);
  Stored stored{config, open_weights(folder), parameter_layout(config), {}};
  refuse_unknown(stored.weights, stored.layout, config);
  for (const ParameterSlice& slice : stored.layout) {
    stored.tensors.push_back(find_tensor(stored.weights, slice.name));
    check_tensor(folder, stored.tensors.back(), slice);
  }
  if (*config.tied_embeddings) check_tied_head(stored.weights, *stored.tensors.front());  // the embeddings come first
  return stored;
}

// Where in the one file the parameters lie as in memory: float32, in the order of the layout.
std::optional<std::uint64_t> offset_in_file(const Stored& stored) {
  if (stored.weights.files.size() != 1) return std::nullopt;
  const char* first = stored.tensors.front()->bytes.data();
  for (std::size_t i = 0; i < stored.tensors.size(); ++i) {
    const TensorView& tensor = *stored.tensors[i];
    const std::size_t at = static_cast<std::size_t>(stored.layout[i].offset) * sizeof(float);
    if (tensor.dtype != Dtype::f32 || tensor.bytes.data() != first + at) return std::nullopt;
  }
  auto offset = static_cast<std::uint64_t>(first - stored.weights.files.front().file.bytes().data());
  if (offset % sizeof(float) != 0) return std::nullopt;
  return offset;
}

Error not_finite(const fs::path& folder, const ParameterSlice& slice) {
  return input_error("{}: tensor {} holds NaN or infinite numbers", folder.string(), slice.name);
}

// What transformers makes of a config.json where there is none of the kind.
Json generation_config(const Json& config) {
  Json json = {{"_from_model_config", true}};
  for (const char* key : kTokenIds) {
    if (config.contains(key)) json[key] = config[key];
  }
  return json;
}

}  // namespace

void check_checkpoint(const fs::path& folder) {
  open_stored(folder);
}

std::vector<TensorInfo> saved_tensors(const ModelConfig& config) {
  std::vector<TensorInfo> tensors;
  for (const ParameterSlice& slice : parameter_layout(config)) {
    tensors.push_back({slice.name, Dtype::f32, slice.shape});
  }
  return tensors;
}

void save_model(const fs::path& folder, const Model& model, int end_of_text, const fs::path& like) {
  SafetensorsWriter writer(folder / kWeightsFile, saved_tensors(model.config));
  for (const ParameterSlice& slice : parameter_layout(model.config)) {
    writer.write({reinterpret_cast<const char*>(model.parameters.data() + slice.offset),
                  static_cast<std::size_t>(slice.size) * sizeof(float)});
  }
  writer.publish();
  Json config = hugging_face_config(model.config, end_of_text);
  if (!like.empty() && fs::exists(like / kConfigFile)) {
    const Json there = read_json_object(like / kConfigFile);
    for (const char* key : kTokenIds) {
      if (there.contains(key) && !there[key].is_null()) config[key] = there[key];
    }
  }
  Json generation = generation_config(config);
  if (!like.empty() && fs::exists(like / kGenerationFile)) generation = read_json_object(like / kGenerationFile);
  write_file(folder / kConfigFile, config.dump(2) + "\n");
  write_file(folder / kGenerationFile, generation.dump(2) + "\n");
}

std::vector<int> end_tokens(const fs::path& folder) {
  for (const char* file : {kGenerationFile, kConfigFile}) {
    if (!fs::exists(folder / file)) continue;
    const Json ids = read_json_object(folder / file).value("eos_token_id", Json());
    if (ids.is_number_integer()) return {ids.get<int>()};
    if (!ids.is_array()) continue;
    std::vector<int> found;
    for (const Json& id : ids) {
      if (id.is_number_integer()) found.push_back(id.get<int>());
    }
    return found;
  }
  return {};
}

ModelConfig load_config(const fs::path& folder) {
  const fs::path path = folder / kConfigFile;
  const Json json = read_json_object(path);
  return from_hugging_face(json, path.string());
}

Model load_model(const fs::path& folder) {
  Stored stored = open_stored(folder);
  Model model{stored.config, Buffer(static_cast<std::size_t>(parameter_count(stored.config)))};
  for (std::size_t i = 0; i < stored.layout.size(); ++i) {
    const ParameterSlice& slice = stored.layout[i];
    std::span<float> values =
        model.parameters.span().subspan(static_cast<std::size_t>(slice.offset), static_cast<std::size_t>(slice.size));
    if (!to_float(stored.tensors[i]->dtype, stored.tensors[i]->bytes, values)) throw not_finite(folder, slice);
  }
  return model;
}

Model map_model(const fs::path& folder) {
  Stored stored = open_stored(folder);
  auto offset = offset_in_file(stored);
  if (!offset) return load_model(folder);
  const auto size = static_cast<std::size_t>(parameter_count(stored.config));
  Model model{stored.config, Buffer::map(stored.weights.files.front().path, *offset, size)};
  for (const ParameterSlice& slice : stored.layout) {
    auto values =
        model.parameters.span().subspan(static_cast<std::size_t>(slice.offset), static_cast<std::size_t>(slice.size));
    if (!all_finite(values)) throw not_finite(folder, slice);
  }
  return model;
}

Dtype stored_dtype(const fs::path& folder) {
  return open_stored(folder).tensors.front()->dtype;
}

std::string weights_sha256(const fs::path& folder) {
  auto paths = weight_paths(folder);
  if (paths.size() == 1) return sha256_file(paths.front());
  Sha256 hash;
  for (const fs::path& path : paths) hash.update(MappedFile(path).bytes());
  return hash.hex();
}

std::string weights_xxh3(const fs::path& folder) {
  Xxh3 hash;
  for (const fs::path& path : weight_paths(folder)) hash.update(MappedFile(path).bytes());
  return hash.hex();
}

}  // namespace btm
