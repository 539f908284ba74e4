#include "btm/train/run_status.h"

#include <ctime>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/host.h"

namespace btm {

void save_status(const fs::path& run, RunStatus status) {
  status.time = static_cast<std::int64_t>(std::time(nullptr));
  status.host = host_name();
  write_file(RunPaths{run}.status(), settings_json(status).dump(2) + "\n");
}

std::optional<RunStatus> load_status(const fs::path& run) {
  fs::path path = RunPaths{run}.status();
  if (!fs::exists(path)) return std::nullopt;
  try {
    return load_settings<RunStatus>(path);
  } catch (const Error&) {
    return std::nullopt;  // only for show and for the time account: no reason to stop
  }
}

}  // namespace btm
