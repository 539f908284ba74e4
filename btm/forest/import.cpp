#include "btm/forest/import.h"

#include <algorithm>
#include <optional>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/core/sums.h"
#include "btm/forest/admission.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/starting_weights.h"
#include "btm/forest/unfinished.h"
#include "btm/model/average_check.h"
#include "btm/model/checkpoint.h"
#include "btm/model/weight_difference.h"
#include "btm/model/weight_files.h"

namespace btm {
namespace {

void check_free(const Forest& forest, const std::string& name) {
  check_expert_name(name);
  const char* taken = forest.find(name)                           ? "another expert"
                      : fs::exists(forest.paths.run(name))        ? "a run in progress"
                      : fs::exists(forest.paths.comparison(name)) ? "a comparison"
                                                                  : nullptr;
  if (taken) {
    throw input_error("{}: '{}' is the name of {} here; import it under a name of its own: --name NAME",
                      forest.paths.root.string(), name, taken);
  }
}

// The model that lends the new expert what all experts have in common: config.json and the tokenizer's files.
ModelToMatch require_match(const Forest& forest, const Bundle& bundle) {
  const fs::path& path = bundle.file.path;
  std::optional<ModelToMatch> match = model_to_match(forest);
  if (!match) {
    throw input_error(
        "{}: has no model yet whose tokenizer and shape could be compared with those of {}; grow its seed "
        "first: btm grow",
        forest.paths.root.string(), path.string());
  }
  check_tokenizer(bundle.manifest.expert, match->info);
  check_shape(bundle.manifest.expert.name, from_hugging_face(bundle.manifest.config, path.string()), *match);
  return *match;
}

// Each tensor where it has to be: no name in the file is ever more than compared.
void check_tensors(const Bundle& bundle, const std::vector<TensorInfo>& expected) {
  auto refuse = [&bundle](const std::string& what) {
    return input_error("{}: {}; ask for the bundle to be made again", bundle.file.path.string(), what);
  };
  if (bundle.weights.size() != expected.size()) {
    throw refuse(fmt::format("it has {} tensors, but its config asks for {}", bundle.weights.size(), expected.size()));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const TensorView& tensor = bundle.weights[i];
    if (tensor.name != expected[i].name) {
      throw refuse(fmt::format("tensor {} is where {} has to be", tensor.name, expected[i].name));
    }
    const Dtype dtype = bundle.manifest.delta ? Dtype::u8 : expected[i].dtype;
    if (tensor.dtype != dtype) {
      throw refuse(
          fmt::format("tensor {} has dtype {}, expected {}", tensor.name, dtype_name(tensor.dtype), dtype_name(dtype)));
    }
    if (!bundle.manifest.delta && tensor.shape != expected[i].shape) {
      throw refuse(fmt::format("tensor {} has shape {}, expected {}", tensor.name, shape_text(tensor.shape),
                               shape_text(expected[i].shape)));
    }
  }
}

// The file that was exported, byte for byte. Gives its hash.
std::string write_weights(const Bundle& bundle, const std::vector<TensorInfo>& tensors, const StartingWeights* start,
                          const fs::path& path, bool quiet) {
  SafetensorsWriter writer(path, tensors);
  Sha256 hash;
  hash.update(safetensors_header(tensors));
  auto put = [&](std::string_view bytes) {
    hash.update(bytes);
    writer.write(bytes);
  };
  Progress progress("import", static_cast<double>(tensors.size()), quiet);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    throw_if_interrupted();
    progress.update(static_cast<double>(i));
    const TensorView& tensor = bundle.weights[i];
    if (start) {
      const std::string where = fmt::format("{}: tensor {}", bundle.file.path.string(), tensor.name);
      unpack_difference(tensor.bytes, start->bytes_of(tensors[i]), where, put);
    } else {
      put(tensor.bytes);
    }
  }
  writer.publish();
  progress.finish();
  return hash.hex();
}

// Nothing of it is seen before the weights are known to be those of the manifest.
void write_folder(const Forest& forest, const Bundle& bundle, const ExpertInfo& info, bool quiet) {
  const ModelToMatch match = require_match(forest, bundle);
  const std::vector<TensorInfo> tensors = saved_tensors(load_config(match.folder));
  check_tensors(bundle, tensors);
  make_folders(forest.paths.experts());
  const fs::path target = forest.paths.expert(info.name);
  std::optional<StartingWeights> start;
  if (bundle.manifest.delta) start.emplace(forest, info, target);
  FolderWriter folder(target);
  const std::string hash =
      write_weights(bundle, tensors, start ? &*start : nullptr, folder.path() / kWeightsFile, quiet);
  if (hash != info.weights_sha256) {
    throw input_error("{}: its weights come out with the SHA-256 {}, but its manifest says {}{}; ask for it again",
                      bundle.file.path.string(), hash, info.weights_sha256,
                      start ? " (or a model here that it is a delta to is damaged)" : "");
  }
  copy_companions(match.folder, folder.path());
  if (sha256_file(folder.path() / kTokenizerFile) != info.tokenizer_sha256) {
    throw input_error("{}: its tokenizer.json is damaged; restore it from a copy", match.folder.string());
  }
  map_model(folder.path());  // throws where numbers aren't finite
  write_file(folder.path() / kMetricsFile, bundle.metrics);
  save_expert(folder.path(), info);
  write_sums(folder.path(), {{kWeightsFile, hash}, {kTokenizerFile, info.tokenizer_sha256}});
  folder.publish();
}

}  // namespace

ImportOutcome import_expert(const ForestPaths& paths, const fs::path& file, const std::string& name,
                            const BundleOptions& options) {
  const Bundle bundle = open_bundle(file);
  const Forest forest = replay_forest(paths.root);
  finish_removals(forest);
  auto there = std::ranges::find(forest.experts, bundle.manifest.expert.weights_sha256, &ExpertInfo::weights_sha256);
  const bool known = there != forest.experts.end();
  ExpertInfo info = bundle.manifest.expert;
  info.name = known ? there->name : name.empty() ? info.name : name;
  if (known && is_published(paths.expert(info.name))) return {load_expert(paths.expert(info.name)), true};
  if (known) {  // its folder is lost
    if (info.recipe_sha256 != there->recipe_sha256) {
      throw input_error("{}: the log has '{}' with these weights but another recipe", file.string(), info.name);
    }
    info.imported = there->imported;
  } else {
    check_free(forest, info.name);
    info.imported = Origin{bundle.manifest.expert.name, bundle.manifest.ancestors};
  }
  write_folder(forest, bundle, info, options.quiet);
  if (known) {
    log_info(fmt::format("{}: put back from {}", paths.expert(info.name).string(), file.string()));
  } else {
    append_edit(paths.log(), merge_edit(info));
  }
  return {info, known};
}

}  // namespace btm
