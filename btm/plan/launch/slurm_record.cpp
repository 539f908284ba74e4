#include "btm/plan/launch/slurm_record.h"

#include "btm/core/files.h"

namespace btm {
namespace {

fs::path file_of(const fs::path& run) {
  return run / "slurm.json";
}

}  // namespace

std::optional<SlurmRecord> load_slurm_record(const fs::path& run) {
  const fs::path file = file_of(run);
  if (!fs::exists(file)) return std::nullopt;
  SlurmRecord record;
  read_settings(parse_yaml(read_file(file), file.string()), record, file.string());
  return record;
}

void save_slurm_record(const fs::path& run, const SlurmRecord& record) {
  write_file(file_of(run), settings_json(record).dump(2) + "\n");
}

void remove_slurm_record(const fs::path& run) {
  remove_folder(file_of(run));
}

}  // namespace btm
