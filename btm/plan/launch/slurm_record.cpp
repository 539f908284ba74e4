#include "btm/plan/launch/slurm_record.h"

#include "btm/core/files.h"
#include "btm/core/folders.h"

namespace btm {

std::optional<SlurmRecord> load_slurm_record(const fs::path& run) {
  const fs::path file = RunPaths{run}.slurm();
  if (!fs::exists(file)) return std::nullopt;
  SlurmRecord record;
  read_settings(parse_yaml(read_file(file), file.string()), record, file.string());
  return record;
}

void save_slurm_record(const fs::path& run, const SlurmRecord& record) {
  write_file(RunPaths{run}.slurm(), settings_json(record).dump(2) + "\n");
}

void remove_slurm_record(const fs::path& run) {
  remove_folder(RunPaths{run}.slurm());
}

}  // namespace btm
