#include "cli/run_table.h"

#include <algorithm>
#include <ctime>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/half_written.h"
#include "btm/forest/models.h"
#include "btm/plan/launch/slurm_record.h"
#include "btm/report/text_table.h"
#include "btm/train/job.h"
#include "btm/train/run_status.h"

namespace btm {
namespace {

constexpr std::int64_t kSilent = 120;  // seconds without a sign of life after which a run has probably died

OpenRun open_run(const fs::path& folder) {
  OpenRun run{folder.filename().string(), {}, "", 0};
  run.status.state = RunPhase::waiting;
  if (const auto status = load_status(folder)) run.status = *status;
  if (const auto record = load_slurm_record(folder); record && record->failed.empty()) run.job = record->job;
  const RunStatus& status = run.status;
  if (status.state == RunPhase::running && status.tokens_per_second > 0 && status.updates > 0) {
    const double left = 1 - static_cast<double>(status.update) / static_cast<double>(status.updates);
    run.seconds_left = left * static_cast<double>(load_job(folder).tokens) / status.tokens_per_second;
  }
  return run;
}

std::int64_t age(const RunStatus& status) {
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::time(nullptr)) - status.time);
}

std::string state(const OpenRun& run) {
  const RunPhase phase = run.status.state;
  const std::string word(to_word(phase)), job = run.job.empty() ? "" : fmt::format(" (job {})", run.job);
  if (phase == RunPhase::done) return "done, not merged";
  if (phase == RunPhase::waiting) return job.empty() ? word : "queued" + job;
  if (phase == RunPhase::interrupted) return job.empty() ? word : "saved, queued" + job;
  if (phase == RunPhase::running && age(run.status) >= kSilent) return "silent" + job;
  return word + job;
}

std::string last_sign(const RunStatus& status) {
  return status.time == 0 ? "" : fmt::format("{} ago", format_duration(static_cast<double>(age(status))));
}

}  // namespace

std::vector<OpenRun> open_runs(const Forest& forest) {
  std::vector<OpenRun> runs;
  if (!fs::is_directory(forest.paths.runs())) return runs;
  const std::vector<PublishedModel> models = published_models(forest.paths);
  for (const auto& entry : fs::directory_iterator(forest.paths.runs())) {
    if (is_half_written(entry.path())) continue;
    const std::string name = entry.path().filename().string();
    const bool published = std::ranges::find(models, name, &PublishedModel::run) != models.end();
    if (!published && fs::exists(RunPaths{entry.path()}.job())) runs.push_back(open_run(entry.path()));
  }
  std::ranges::sort(runs, {}, &OpenRun::name);
  return runs;
}

std::string run_table(const std::vector<OpenRun>& runs) {
  TextTable table{{{"run", Align::left},
                   {"state", Align::left},
                   {"host", Align::left},
                   {"updates"},
                   {"done"},
                   {"tokens/s"},
                   {"loss"},
                   {"time left"},
                   {"last sign of life"}},
                  {}};
  for (const OpenRun& run : runs) {
    const RunStatus& status = run.status;
    const bool begun = status.updates > 0;
    const double share = begun ? static_cast<double>(status.update) / static_cast<double>(status.updates) : 0;
    table.rows.push_back({run.name, state(run), status.host,
                          begun ? fmt::format("{}/{}", status.update, status.updates) : "",
                          begun ? fmt::format("{:.0f} %", 100 * share) : "",
                          status.tokens_per_second > 0 ? format_count(status.tokens_per_second) : "",
                          status.update > 0 ? fmt::format("{:.3f}", status.loss) : "",
                          run.seconds_left > 0 ? format_duration(run.seconds_left) : "", last_sign(status)});
  }
  return to_text(table);
}

}  // namespace btm
