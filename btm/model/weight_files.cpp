#include "btm/model/weight_files.h"

#include <algorithm>
#include <map>
#include <set>

#include "btm/core/error.h"
#include "btm/core/folders.h"
#include "btm/core/settings.h"

namespace btm {
namespace {

using Index = std::map<std::string, std::string>;  // tensor -> file

Index read_index(const fs::path& path) {
  auto broken = [&](const std::string& what) { return input_error("{}: broken index: {}", path.string(), what); };
  Json json = read_json_object(path);
  if (!json.contains("weight_map") || !json["weight_map"].is_object()) throw broken("it has no weight_map");
  Index index;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string()) throw broken(fmt::format("tensor {} has no file name", Json(tensor).dump()));
    auto name = file.get<std::string>();
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos || name == kWeightsIndex) {
      throw broken(
          fmt::format("tensor {}: {} is not the name of a file in the folder", Json(tensor).dump(), Json(name).dump()));
    }
    index[tensor] = name;
  }
  return index;
}

Error no_weights(const fs::path& folder) {
  if (!fs::is_directory(folder)) return input_error("{}: no such folder", folder.string());
  if (fs::exists(folder / "pytorch_model.bin") || fs::exists(folder / "pytorch_model.bin.index.json")) {
    return input_error("{}: only pytorch_model.bin, no {}; load and save it with a recent transformers to convert it",
                       folder.string(), kWeightsFile);
  }
  return input_error("{}: not a model folder: neither {} nor {} is there", folder.string(), kWeightsFile,
                     kWeightsIndex);
}

void check_index(const fs::path& folder, const Index& index, const WeightFiles& weights) {
  for (const auto& [name, file] : index) {
    auto shard = std::ranges::find(weights.files, folder / file, &SafetensorsFile::path);
    if (std::ranges::find(shard->tensors, name, &TensorView::name) == shard->tensors.end()) {
      throw input_error("{}: tensor {} is not in {}, where the index has it", folder.string(), Json(name).dump(),
                        Json(file).dump());
    }
  }
}

}  // namespace

std::vector<fs::path> weight_paths(const fs::path& folder) {
  if (fs::exists(folder / kWeightsFile)) return {folder / kWeightsFile};
  if (!fs::exists(folder / kWeightsIndex)) throw no_weights(folder);
  std::set<std::string> shards;
  for (const auto& [tensor, file] : read_index(folder / kWeightsIndex)) shards.insert(file);
  std::vector<fs::path> paths{folder / kWeightsIndex};
  for (const std::string& shard : shards) paths.push_back(folder / shard);
  return paths;
}

WeightFiles open_weights(const fs::path& folder) {
  WeightFiles weights;
  weights.folder = folder;
  auto paths = weight_paths(folder);
  for (const fs::path& path : paths) {
    if (path.filename() != kWeightsIndex) weights.files.push_back(open_safetensors(path));
  }
  for (const SafetensorsFile& file : weights.files) {
    for (const TensorView& tensor : file.tensors) weights.tensors.push_back(&tensor);
  }
  std::ranges::sort(weights.tensors, {}, &TensorView::name);
  auto twice = std::ranges::adjacent_find(weights.tensors, {}, &TensorView::name);
  if (twice != weights.tensors.end()) {
    throw input_error("{}: tensor {} is in two of the shards", folder.string(), (*twice)->name);
  }
  if (paths.front().filename() == kWeightsIndex) check_index(folder, read_index(paths.front()), weights);
  return weights;
}

const TensorView* WeightFiles::find(const std::string& name) const {
  auto found = std::ranges::lower_bound(tensors, name, {}, &TensorView::name);
  return found != tensors.end() && (*found)->name == name ? *found : nullptr;
}

}  // namespace btm
