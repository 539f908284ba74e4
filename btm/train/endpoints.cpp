#include "btm/train/endpoints.h"

#include "btm/core/files.h"
#include "btm/data/tokenizer.h"
#include "btm/model/checkpoint.h"

namespace btm {
namespace {

void require_same_shape(const ModelConfig& found, const TrainingJob& job) {
  Json is = settings_json(resolve(found)), wanted = settings_json(job.model);
  for (const auto& [key, value] : wanted.items()) {
    if (is[key] != value) {
      throw input_error("{}: model.{} is {} there and {} in run.yaml; train with the shape of the initial weights",
                        job.init, key, is[key].dump(), value.dump());
    }
  }
}

}  // namespace

Model initial_model(TrainingJob& job) {
  if (job.init.empty()) return random_model(job.model, static_cast<std::uint64_t>(job.training.random_seed));
  require_same_shape(load_config(job.init), job);
  std::string sha256 = weights_sha256(job.init);
  if (!job.init_sha256.empty() && job.init_sha256 != sha256) {
    throw input_error(
        "{}: these are not the weights of run.yaml (SHA-256 {} instead of {}); put them back or start a new "
        "run",
        job.init, sha256, job.init_sha256);
  }
  job.init_sha256 = sha256;
  return load_model(job.init);
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
  FolderWriter folder(run / "model");
  if (job.tokenizer.empty()) {
    save_model(folder.path(), model, kNoToken);
  } else {
    Tokenizer tokenizer = Tokenizer::load(job.tokenizer);
    save_model(folder.path(), model, tokenizer.end_of_text());
    tokenizer.save(folder.path());
    for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {  // as the user made them, if so
      fs::path source = fs::path(job.tokenizer) / name;
      if (fs::exists(source)) write_file(folder.path() / name, read_file(source));
    }
  }
  folder.publish();
}

}  // namespace btm
