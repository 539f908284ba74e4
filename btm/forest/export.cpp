#include "btm/forest/export.h"

#include <algorithm>
#include <optional>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"
#include "btm/core/progress.h"
#include "btm/forest/lineage.h"
#include "btm/forest/starting_weights.h"
#include "btm/model/checkpoint.h"
#include "btm/model/weight_difference.h"
#include "btm/model/weight_files.h"

namespace btm {
namespace {

// Checks that the other side can make the same file out of the tensors.
SafetensorsFile open_own_weights(const fs::path& folder, const ExpertInfo& info,
                                 const std::vector<TensorInfo>& tensors) {
  const fs::path path = folder / kWeightsFile;
  SafetensorsFile file = open_safetensors(path);
  if (!file.file.bytes().starts_with(safetensors_header(tensors))) {
    throw input_error(
        "{}: not as btm writes it, so that others couldn't make this file out of its tensors; only models "
        "that btm trained can be exported",
        path.string());
  }
  if (const std::string hash = sha256_file(path); hash != info.weights_sha256) {
    throw input_error("{}: damaged: its SHA-256 is {}, but {} in expert.json; restore it from a copy", path.string(),
                      hash, info.weights_sha256);
  }
  return file;
}

// The command of another trainer tells of paths, and may of people: its hash goes out in its place.
void keep_command_here(ExpertInfo& info) {
  if (!info.recipe.contains("trainer")) return;
  info.recipe["trainer_sha256"] = sha256_hex(info.recipe["trainer"].get<std::string>());
  info.recipe.erase("trainer");
  info.recipe_sha256 = recipe_sha256(info.recipe);
}

Manifest manifest_of(const Forest& forest, const ExpertInfo& info, bool delta) {
  const fs::path config = forest.paths.expert(info.name) / kConfigFile;
  const Json written = read_json_object(config);
  const ModelConfig shape = from_hugging_face(written, config.string());
  const Json end_of_text = written.value("eos_token_id", Json());
  // Written anew: what others may have put into the file stays here.
  Manifest manifest{delta, hugging_face_config(shape, end_of_text.is_number_integer() ? end_of_text.get<int>() : -1),
                    info, ancestors_of(forest, info)};
  manifest.expert.imported.reset();
  keep_command_here(manifest.expert);
  return manifest;
}

// The tensors of a bundle one after the other, with the hash of it all at their end.
class BundleWriter {
 public:
  BundleWriter(const fs::path& path, const std::vector<TensorInfo>& tensors, const Json& metadata)
      : writer_(path, tensors, metadata) {
    hash_.update(safetensors_header(tensors, metadata));
  }
  void write(std::string_view bytes) {
    hash_.update(bytes);
    writer_.write(bytes);
  }
  void publish() {
    writer_.write(hash_.hex());
    writer_.publish();
  }

 private:
  SafetensorsWriter writer_;
  Sha256 hash_;
};

TensorInfo bytes_tensor(const std::string& name, std::size_t size) {
  return {name, Dtype::u8, {static_cast<std::int64_t>(size)}};
}

// A header tells the sizes ahead of the bytes, so a delta is packed twice: once to be measured. Packing it into memory
// or a second file would cost more than that.
std::vector<TensorInfo> bundle_tensors(const SafetensorsFile& weights, const StartingWeights* start,
                                       std::size_t metrics) {
  std::vector<TensorInfo> tensors;
  for (const TensorView& tensor : weights.tensors) {
    throw_if_interrupted();
    tensors.push_back(tensor);
    if (!start) continue;
    std::size_t packed = 0;
    pack_difference(tensor.bytes, start->bytes_of(tensor), [&packed](std::string_view part) { packed += part.size(); });
    tensors.back() = bytes_tensor(tensor.name, packed);
  }
  tensors.push_back(bytes_tensor(kBundleMetrics, metrics));
  tensors.push_back(bytes_tensor(kBundleSeal, kSealSize));
  return tensors;
}

// A bundle may be replaced, nothing else; and nothing of the forest.
void check_output(const Forest& forest, const fs::path& output) {
  const fs::path root = fs::weakly_canonical(forest.paths.root), file = fs::weakly_canonical(output);
  if (std::ranges::mismatch(root, file).in1 == root.end()) {
    throw input_error("{}: is inside the forest, where it would be in the way; give a name elsewhere", output.string());
  }
  if (!fs::exists(output) || fs::is_directory(output)) return;  // a folder is refused where it is written to
  try {
    open_bundle(output);
  } catch (const Error&) {
    throw input_error("{}: is there already and is no bundle; give another name, or delete it", output.string());
  }
}

}  // namespace

Manifest export_expert(const Forest& forest, const std::string& name, const fs::path& output,
                       const BundleOptions& options) {
  const ExpertInfo* info = forest.find(name);
  if (!info) unknown_expert(forest, name);
  check_output(forest, output);
  const fs::path folder = forest.paths.expert(name);
  Manifest manifest = manifest_of(forest, *info, options.delta);
  Json metadata = torch_metadata();
  metadata[kManifest] = manifest_text(manifest, folder.string());
  const SafetensorsFile weights = open_own_weights(folder, *info, saved_tensors(load_config(folder)));
  std::optional<StartingWeights> start;
  if (options.delta) start.emplace(forest, *info, output);
  const fs::path metrics_file = folder / kMetricsFile;
  const std::string metrics = fs::exists(metrics_file) ? plain_metrics(read_file(metrics_file)) : "";

  BundleWriter writer(output, bundle_tensors(weights, start ? &*start : nullptr, metrics.size()), metadata);
  Progress progress("export", static_cast<double>(weights.file.bytes().size()), options.quiet);
  double done = 0;
  for (const TensorView& tensor : weights.tensors) {
    throw_if_interrupted();
    if (start) {
      pack_difference(tensor.bytes, start->bytes_of(tensor), [&writer](std::string_view part) { writer.write(part); });
    } else {
      writer.write(tensor.bytes);
    }
    progress.update(done += static_cast<double>(tensor.bytes.size()));
  }
  writer.write(metrics);
  writer.publish();
  progress.finish();
  return manifest;
}

}  // namespace btm
