#include "btm/plan/launch/slurm_record.h"

#include "btm/core/files.h"
#include "btm/core/folders.h"

namespace btm {

std::optional<SlurmRecord> load_slurm_record(const fs::path& run) {
  const fs::path file = RunPaths{run}.slurm();
  if (!fs::exists(file)) return std::nullopt;
  return load_settings<SlurmRecord>(file);
}

void save_slurm_record(const fs::path& run, const SlurmRecord& record) {
  write_file(RunPaths{run}.slurm(), settings_json(record).dump(2) + "\n");
}

}  // namespace btm
