// runs/NAME: work in progress, and finished runs that are not published yet; and the event files of all models.
#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/mapped_file.h"
#include "btm/plan/verify/verify_work.h"
#include "btm/train/event_file.h"
#include "btm/train/job.h"
#include "btm/train/result.h"
#include "btm/train/snapshot.h"

namespace btm {
namespace {

constexpr const char* kAgain = "written again by the training";

// As VerifyWork names files: from the forest's folder on.
RunPaths run_in_forest(const std::string& name) {
  return {fs::path("runs") / name};
}

std::string xxh3_128(std::string_view bytes) {
  Xxh3 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string first_bytes(const fs::path& path, std::int64_t count) {
  return read_file(path).substr(0, static_cast<std::size_t>(count));
}

// The first `bytes` of the run's metrics.jsonl have this hash.
void check_metrics(VerifyWork& work, const std::string& name, std::int64_t bytes, const std::string& xxh3, bool growing,
                   const std::string& remedy) {
  const std::string file = run_in_forest(name).metrics();
  if (xxh3.empty()) {
    if (work.claim(file)) work.note(Verdict::unchecked, file, "written by an older version, which kept no hash of it");
    return;
  }
  const Curve curve{file, bytes, growing, [xxh3](std::string_view lines) { return xxh3_128(lines) == xxh3; }};
  work.curves[name] = curve;
  work.check(file, remedy, [path = work.path(file), curve]() -> std::optional<Finding> {
    if (curve.holds(first_bytes(path, curve.bytes))) return std::nullopt;
    return Finding{Verdict::damaged,
                   curve.file,
                   fmt::format("its first {} bytes are not those that the run wrote", curve.bytes),
                   {}};
  });
}

std::optional<SnapshotRecord> check_snapshot(VerifyWork& work, const std::string& folder, const std::string& remedy) {
  SnapshotRecord record;
  work.claim(folder + "/state.json");
  try {
    record = read_snapshot_record(work.paths.root / folder);
  } catch (const Error& e) {
    if (!fs::exists(work.paths.root / folder)) return std::nullopt;       // the training has newer ones by now
    for (const std::string& file : work.below(folder)) work.claim(file);  // without the hashes nobody can tell
    work.note(Verdict::damaged, folder + "/state.json", e.what(), remedy);
    return std::nullopt;
  }
  for (const auto& [name, hash] : record.arrays) {
    const std::string file = fs::path(folder) / name;
    work.check(file, remedy, [path = work.paths.root / file, file, hash = hash]() -> std::optional<Finding> {
      if (snapshot_hash(MappedFile(path).bytes()) == hash) return std::nullopt;
      return Finding{Verdict::damaged, file, "does not match its hash in state.json", {}};
    });
  }
  return record;
}

void verify_started(VerifyWork& work, const std::string& name, const std::string& remedy) {
  const RunPaths run = run_in_forest(name);
  std::optional<RunState> newest;
  for (const std::int64_t update : snapshots(RunPaths{work.paths.run(name)}.checkpoints())) {
    const std::string folder = run.checkpoints() / std::to_string(update);
    if (!work.has_below(folder)) continue;
    const auto record =
        check_snapshot(work, folder, "none needed: the training deletes it and goes on from the one before");
    if (record && !newest) newest = record->state;
  }
  if (newest) check_metrics(work, name, newest->metrics_bytes, newest->metrics_xxh3, true, remedy);
  if (work.claim(run.metrics())) work.note(Verdict::exempt, run.metrics(), kAgain);
  work.exempt_below(run.model(), kAgain);
}

void verify_done(VerifyWork& work, const std::string& name, const std::string& remedy) {
  const RunPaths run = run_in_forest(name);
  verify_sealed(work, run.result(), remedy);
  if (work.has_below(run.model())) {
    verify_folder(work, run.model(), remedy);
  } else {
    work.note(Verdict::missing, run.model(), "not there", remedy);
  }
  work.exempt_below(run.checkpoints(), "of no use any more: the training is done");
  const std::string metrics = run.metrics();
  try {
    const auto result = load_result(work.paths.run(name));
    const std::int64_t bytes = work.files.contains(metrics) ? work.files.at(metrics) : 0;
    if (result) check_metrics(work, name, bytes, result->metrics_xxh3, false, remedy);
  } catch (const Error&) {  // the seal of result.json tells
  }
  work.claim(metrics);
}

void verify_run(VerifyWork& work, const std::string& name) {
  const RunPaths run = run_in_forest(name);
  work.curves.erase(name);  // of a published model of that name, which is trained anew
  const std::string remedy = fmt::format("delete {} and train it from the start: btm grow", work.path(run.root));
  for (const fs::path& file : {run.status(), run.log(), run.lock(), run.slurm()}) {
    if (work.claim(file)) work.note(Verdict::exempt, file, "of the process at work");
  }
  for (const fs::path& folder : {run.trainer_output(), run.trainer_text(), run.trainer_init()}) {
    work.exempt_below(folder, "of a trainer that is not btm's");
  }
  verify_sealed(work, run.job(), remedy);
  if (work.has_below(run.init())) verify_folder(work, run.init(), remedy);
  work.files.contains(run.result()) ? verify_done(work, name, remedy) : verify_started(work, name, remedy);
}

// It is a function of the metrics.
void check_events(VerifyWork& work, const std::string& file, const std::string& name) {
  const std::string remedy = fmt::format("delete {}: btm grow writes it out of metrics.jsonl", work.path(file));
  const auto at = work.curves.find(name);
  if (at == work.curves.end()) {
    if (!fs::exists(work.paths.run(name))) return;  // of no model
    work.claim(file);
    return work.note(Verdict::exempt, file, kAgain);
  }
  work.check(file, remedy, [&work, file, curve = at->second]() -> std::optional<Finding> {
    if (!fs::exists(work.paths.root / curve.file)) return std::nullopt;  // told where it is missing
    const std::string lines = first_bytes(work.paths.root / curve.file, curve.bytes);
    if (!curve.holds(lines)) return std::nullopt;  // told where it is damaged
    const std::string events = events_of(lines), found = read_file(work.paths.root / file);
    if (curve.growing ? found.starts_with(events) : found == events) return std::nullopt;
    return Finding{Verdict::damaged, file, fmt::format("not what {} gives", curve.file), {}};
  });
}

}  // namespace

void verify_runs(VerifyWork& work) {
  for (const std::string& file : work.below("runs")) {
    const bool of_slurm = file.starts_with("runs/slurm-") || file == "runs/grow.txt";
    if (of_slurm && work.claim(file)) work.note(Verdict::exempt, file, "what a job printed");
  }
  for (const std::string& name : work.folders_in("runs")) verify_run(work, name);
}

void verify_event_files(VerifyWork& work) {
  const std::string file = event_file("").string();
  for (const char* top : {"tensorboard", "runs"}) {
    for (const std::string& name : work.folders_in(top)) {
      const std::string path = fmt::format("{}/{}/{}", top, name, file);
      if (work.files.contains(path)) check_events(work, path, name);
    }
  }
}

}  // namespace btm
