// Models as Hugging Face checkpoint folders: config.json, model.safetensors (or shards), generation_config.json.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/model/dtype.h"
#include "btm/model/parameters.h"
#include "btm/model/safetensors.h"

namespace btm {

// Writes the three files into an existing folder (the caller publishes it whole, see FolderWriter). Float32. Text
// begins and ends with `end_of_text` (negative: none), unless `like` is given: a checkpoint folder that the model
// descends from and whose generation_config.json and ids of bos, eos and pad it keeps.
void save_model(const std::filesystem::path& folder, const Model& model, int end_of_text,
                const std::filesystem::path& like = {});

// The ids that generation ends at, as generation_config.json, or else config.json, of the folder says; none: empty.
std::vector<int> end_tokens(const std::filesystem::path& folder);

// The tensors of the model.safetensors that save_model writes, in the order of their bytes. `config` is resolved.
std::vector<TensorInfo> saved_tensors(const ModelConfig& config);

// Reads a folder written by us or by transformers (GPT-2, Llama and Qwen2 families; float32, bfloat16, float16; one
// file or shards with model.safetensors.index.json; names with or without the "transformer." / "model." prefix). Throws
// Error(input): missing files, corrupt or truncated tensors, shapes that don't fit the config, unsupported parts.
Model load_model(const std::filesystem::path& folder);

// Throws what load_model() does, but for what the tensors' numbers are: reads no more than the names and shapes (and a
// tied head).
void check_checkpoint(const std::filesystem::path& folder);

// The same model with its parameters left in the file (see Buffer::map) where that holds them as float32 in our order,
// as save_model writes it; else a copy of them. The file must not be changed while the model lives; it may be replaced.
Model map_model(const std::filesystem::path& folder);

// Of the token embeddings; the folder is one that load_model() reads.
Dtype stored_dtype(const std::filesystem::path& folder);

ModelConfig load_config(const std::filesystem::path& folder);

// SHA-256 over the weights' identity: that of model.safetensors (of the index and every shard in order, if sharded).
std::string weights_sha256(const std::filesystem::path& folder);
// XXH3 (128 bits) of the same, 32 digits: at the speed of memory, for where nobody gains by a forgery.
std::string weights_xxh3(const std::filesystem::path& folder);

}  // namespace btm
