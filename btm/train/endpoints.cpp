#include "btm/train/endpoints.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/sums.h"
#include "btm/data/tokenizer.h"
#include "btm/model/checkpoint.h"

namespace btm {
namespace {

Model plain_initial_model(TrainingJob& job) {
  if (job.init.empty()) return random_model(job.model, static_cast<std::uint64_t>(job.training.random_seed));
  ModelConfig found = load_config(job.init);
  found.context = std::min(found.context, job.model.context);
  require_same_shape(found, job, job.init);
  std::string sha256 = weights_sha256(job.init);
  if (!job.init_sha256.empty() && job.init_sha256 != sha256) {
    throw input_error(
        "{}: these are not the weights of run.yaml (SHA-256 {} instead of {}); put them back or start a new "
        "run",
        job.init, sha256, job.init_sha256);
  }
  job.init_sha256 = sha256;
  return shortened(load_model(job.init), job.model.context);
}

}  // namespace

void require_same_shape(const ModelConfig& found, const TrainingJob& job, const std::string& where) {
  Json is = settings_json(resolve(found)), wanted = settings_json(job.model);
  for (const auto& [key, value] : wanted.items()) {
    if (is[key] != value) {
      throw input_error("{}: model.{} is {} there and {} in run.yaml; both must have one shape", where, key,
                        is[key].dump(), value.dump());
    }
  }
}

void save_checkpoint_folder(const fs::path& folder, const TrainingJob& job, const Model& model) {
  if (job.tokenizer.empty()) return save_model(folder, model, kNoToken, job.init);
  Tokenizer tokenizer = Tokenizer::load(job.tokenizer);
  save_model(folder, model, tokenizer.end_of_text(), job.init);
  tokenizer.save(folder, model.config.context);
}

std::optional<DemixLayout> demix_layout(const TrainingJob& job) {
  if (!job.demix) return std::nullopt;
  return DemixLayout(job.model, static_cast<int>(job.data.size()));
}

Model initial_model(TrainingJob& job) {
  Model model = plain_initial_model(job);
  if (auto layout = demix_layout(job)) model.parameters = demix_parameters(*layout, model);
  return model;
}

void check_tokenizer(const TrainingJob& job) {
  if (job.tokenizer.empty()) return;
  int size = Tokenizer::load(job.tokenizer).vocab_size();
  if (size > job.model.vocab_size) {
    throw input_error("{}: the tokenizer has {} tokens, the model only {} (model.vocab_size)", job.tokenizer, size,
                      job.model.vocab_size);
  }
}

void save_final_model(const fs::path& run, const TrainingJob& job, const Model& model) {
  FolderWriter folder(RunPaths{run}.model());
  if (auto layout = demix_layout(job)) {
    for (std::size_t i = 0; i < job.data.size(); ++i) {
      const fs::path own = folder.path() / job.data[i].domain;
      make_folders(own);
      save_checkpoint_folder(own, job, demix_model(*layout, model, static_cast<int>(i)));
    }
  } else {
    save_checkpoint_folder(folder.path(), job, model);
  }
  write_sums(folder.path());
  folder.publish();
}

}  // namespace btm
