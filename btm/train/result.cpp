#include "btm/train/result.h"

#include "btm/core/folders.h"
#include "btm/core/seal.h"

namespace btm {

std::optional<TrainingResult> load_result(const fs::path& run) {
  if (!fs::exists(RunPaths{run}.result())) return std::nullopt;
  return load_settings<TrainingResult>(RunPaths{run}.result());
}

void save_result(const fs::path& run, const TrainingResult& result) {
  write_sealed_file(RunPaths{run}.result(), settings_json(result).dump(2) + "\n");
}

TrainingResult planned_result(const TrainingJob& job) {
  TrainingResult result;
  result.updates = update_count(job);
  result.tokens = result.updates * batch_sequences(job) * job.model.context;
  result.flops = static_cast<double>(result.tokens) * 3 * forward_flops_per_token(job.model);
  return result;
}

}  // namespace btm
