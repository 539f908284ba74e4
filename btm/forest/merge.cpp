#include "btm/forest/merge.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/log.h"
#include "btm/core/sums.h"
#include "btm/forest/admission.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/unfinished.h"
#include "btm/model/checkpoint.h"
#include "btm/model/weight_files.h"

namespace btm {
namespace {

// `info` with its hashes, which are found in the model folder or, if it has them already, checked there.
ExpertInfo with_hashes(ExpertInfo info, const fs::path& model) {
  auto settle = [&model](std::string& claimed, const std::string& found, const char* what) {
    if (!claimed.empty() && claimed != found) {
      throw input_error("{}: the {} has the hash {}, but {} was expected; train the run again", model.string(), what,
                        found, claimed);
    }
    claimed = found;
  };
  settle(info.weights_sha256, weights_sha256(model), "weights file");
  settle(info.tokenizer_sha256, sha256_file(model / kTokenizerFile), "tokenizer");
  settle(info.recipe_sha256, recipe_sha256(info.recipe), "recipe");
  return info;
}

// The model at `model`, trained by `run`, into the existing folder.
void fill_model_folder(const fs::path& folder, const fs::path& model, const fs::path& run, const ExpertInfo& info) {
  for (const auto& entry : fs::directory_iterator(model)) {
    if (entry.is_regular_file()) link_or_copy(entry.path(), folder / entry.path().filename());
  }
  for (const char* name : {kExpertFile, kSumsFile}) fs::remove(folder / name);  // of the model as it was elsewhere
  if (fs::path metrics = RunPaths{run}.metrics(); fs::exists(metrics)) {
    write_file(folder / kMetricsFile, read_file(metrics));  // a copy: a log is appended to in place
  }
  save_expert(folder, info);
  // Of weights in one file, their identity is the hash of that file.
  write_sums(folder, {{kWeightsFile, info.weights_sha256}, {kTokenizerFile, info.tokenizer_sha256}});
}

void write_model_folder(const fs::path& target, const fs::path& run, const ExpertInfo& info) {
  make_folders(target.parent_path());
  FolderWriter folder(target);
  fill_model_folder(folder.path(), RunPaths{run}.model(), run, info);
  folder.publish();
}

void require_model(const fs::path& run) {
  if (!fs::is_directory(RunPaths{run}.model())) {
    throw input_error("{}: no finished run (there is no folder 'model' in it); train it: btm train {}", run.string(),
                      run.string());
  }
}

// Whether `there`, published at `folder`, has the recipe of `here`. Throws Error(input) if not.
void require_same_recipe(const fs::path& folder, const ExpertInfo& there, const ExpertInfo& here,
                         const std::string& advice) {
  if (there.recipe_sha256 == recipe_sha256(here.recipe)) return;
  std::string difference =
      there.recipe.is_null() ? "its expert.json is lost" : recipe_difference(there.recipe, here.recipe);
  if (difference.empty()) return;  // only the order of keys differs
  throw input_error("{}: published before with another recipe: {}; {}", folder.string(), difference, advice);
}

// Hash of a parent's weights, of the latest of that name if none is claimed; "" if there is none such.
std::string parent_hash(const Forest& forest, const Parent& parent) {
  auto fits = [&parent](const ExpertInfo& info) {
    return parent.sha256.empty() || info.weights_sha256 == parent.sha256;
  };
  if (parent.name == kSeedName) {
    return !forest.seed ? parent.sha256 : fits(*forest.seed) ? forest.seed->weights_sha256 : "";
  }
  if (const ExpertInfo* alive = forest.find(parent.name); alive && fits(*alive)) return alive->weights_sha256;
  for (auto at = forest.removed.rbegin(); at != forest.removed.rend(); ++at) {
    if (at->name == parent.name && fits(*at)) return at->weights_sha256;
  }
  return "";
}

void settle_parents(const Forest& forest, ExpertInfo& info) {
  double sum = 0;
  for (Parent& parent : info.parents) {
    std::string hash = parent_hash(forest, parent);
    if (hash.empty() && (parent.name != kSeedName || forest.seed)) {
      throw input_error("{}: its parent '{}'{} is not in the forest's log; merge that one first", info.name,
                        parent.name, parent.sha256.empty() ? "" : fmt::format(" with the weights {}", parent.sha256));
    }
    if (!(parent.weight >= 0) || !std::isfinite(parent.weight)) {
      throw input_error("{}: the weight of its parent '{}' is {}; it must be 0 or more", info.name, parent.name,
                        parent.weight);
    }
    parent.sha256 = hash;
    sum += parent.weight;
  }
  if (info.parents.empty()) return;
  if (sum <= 0) throw input_error("{}: the weights of its parents are all 0", info.name);
  constexpr double kRounding = 1e-9;
  if (std::abs(sum - 1) < kRounding) return;  // as they are, so that the recipe's weights and these stay the same bits
  for (Parent& parent : info.parents) parent.weight /= sum;
}

// Puts the folder of a logged expert back, if it is lost and the run still has its weights.
void restore_folder(const ForestPaths& paths, const fs::path& run, const ExpertInfo& info, const ExpertInfo& logged) {
  fs::path folder = paths.expert(info.name);
  if (is_published(folder)) return;
  require_model(run);
  ExpertInfo restored = with_hashes(info, RunPaths{run}.model());
  if (restored.weights_sha256 != logged.weights_sha256) {
    throw input_error(
        "{}: missing, and the run's weights are not those that were merged; take the expert out first: "
        "btm remove {} {}",
        folder.string(), paths.root.string(), info.name);
  }
  restored.parents = logged.parents;
  write_model_folder(folder, run, restored);
  log_info(fmt::format("{}: put back from {}", folder.string(), run.string()));
}

}  // namespace

void merge_expert(const ForestPaths& paths, const fs::path& run, const ExpertInfo& info) {
  check_expert_name(info.name);
  Forest forest = replay_forest(paths.root);
  finish_removals(forest);
  fs::path folder = paths.expert(info.name);
  if (const ExpertInfo* logged = forest.find(info.name)) {
    bool whole = is_published(folder);
    require_same_recipe(
        folder, whole ? load_expert(folder) : *logged, info,
        fmt::format("take the old setting back, merge under another name, or remove it first: btm remove {} {}",
                    paths.root.string(), info.name));
    restore_folder(paths, run, info, *logged);
    return;
  }
  require_model(run);
  ExpertInfo whole = with_hashes(info, RunPaths{run}.model());
  settle_parents(forest, whole);
  if (const auto other = model_to_match(forest)) {
    check_tokenizer(whole, other->info);
    check_shape(whole.name, load_config(RunPaths{run}.model()), *other);
  }
  write_model_folder(folder, run, whole);
  append_edit(paths.log(), merge_edit(whole));
}

void publish_model(const fs::path& target, const fs::path& run, const ExpertInfo& info) {
  if (is_published(target)) {
    require_same_recipe(target, load_expert(target), info,
                        "take the old setting back, or delete this folder to have it made again");
    return;
  }
  require_model(run);
  write_model_folder(target, run, with_hashes(info, RunPaths{run}.model()));
}

void publish_models(const fs::path& target, const fs::path& run, const std::vector<ExpertInfo>& infos) {
  require_model(run);
  make_folders(target.parent_path());
  FolderWriter folder(target);
  for (const ExpertInfo& info : infos) {
    const fs::path model = RunPaths{run}.model() / info.name, own = folder.path() / info.name;
    make_folders(own);
    fill_model_folder(own, model, run, with_hashes(info, model));
  }
  folder.publish();
}

}  // namespace btm
