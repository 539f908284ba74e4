#include "btm/train/job.h"

#include <string_view>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/seal.h"

namespace btm {

TrainingJob load_job(const fs::path& run) {
  auto job = load_settings<TrainingJob>(RunPaths{run}.job());
  job.model = resolve(job.model);
  return job;
}

void save_job(const fs::path& run, const TrainingJob& job) {
  make_folders(run);
  write_sealed_file(RunPaths{run}.job(), to_yaml(settings_json(job)));
}

std::string job_sha256(const TrainingJob& job) {
  Json json = settings_json(job);
  json["model"] = shape_json(job.model);
  for (const char* key : {"name", "threads", "device", "gpu_share", "tokenizer", "init", "trainer", "tensorboard"})
    json.erase(key);
  Json& training = json["training"];
  for (const std::string_view key : kWithoutEffectOnWeights) {
    if (key != "recompute") training.erase(key);
  }
  training["recompute"] = false;  // not erased: runs of earlier versions have it in their hash
  for (Json& data : json["data"]) data.erase("folder");
  if (job.first_round == 0) json.erase("first_round");  // as before there was one
  return sha256_hex(json.dump());
}

int batch_sequences(const TrainingJob& job) {
  return static_cast<int>(job.training.batch_tokens / job.model.context);
}

std::int64_t update_count(const TrainingJob& job) {
  return job.tokens / (static_cast<std::int64_t>(batch_sequences(job)) * job.model.context);
}

}  // namespace btm
