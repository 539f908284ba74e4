// The state of a run between two updates, on disk: RUN/checkpoints/STEP/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/core/settings.h"
#include "btm/model/kernels/gemm.h"
#include "btm/train/device.h"
#include "btm/train/update_report.h"

namespace btm {

// An update whose dev loss was not measured to the end, so that it is not in metrics.jsonl yet.
struct UnreportedUpdate {
  UpdateReport report;
  double seconds = 0;
};
template <class F>
void visit(UnreportedUpdate& s, F&& f) {
  visit(s.report, f);
  f("seconds", s.seconds, "that it took");
}

struct RunState {
  std::int64_t update = 0;  // done so far; with the job's seed this is also the place in the data
  double device_seconds = 0;
  std::int64_t metrics_bytes = 0;  // of metrics.jsonl up to here
  int threads = 1;
  std::string job_sha256;               // of all that the weights depend on
  std::string metrics_xxh3 = {};        // of metrics.jsonl up to here; "": not known (written before it was kept)
  Operands precision = Operands::fp32;  // also of what was written before it was kept
  Device device = Device::cpu;          // likewise
  std::vector<UnreportedUpdate> unreported = {};  // the last one, or none
};
template <class F>
void visit(RunState& s, F&& f) {
  f("update", s.update, "done so far");
  f("device_seconds", s.device_seconds, "spent so far");
  f("metrics_bytes", s.metrics_bytes, "of metrics.jsonl up to here");
  f("threads", s.threads, "that trained it at once");
  f("precision", s.precision, "of the products, resolved");
  f("device", s.device, "cpu or cuda");
  f("job_sha256", s.job_sha256, "identity of the job");
  f("metrics_xxh3", s.metrics_xxh3, "of metrics.jsonl up to here");
  f("unreported", s.unreported, "the last update, where metrics.jsonl doesn't have it yet");
}

// An array of the state; a file of raw floats in the folder.
struct SnapshotArray {
  std::string name;
  std::span<float> values;
};

// Writes checkpoints/UPDATE/ whole or not at all, then deletes all but the last `keep`. Throws Error(input) when the
// disk is full; the older ones are still there then.
void write_snapshot(const std::filesystem::path& checkpoints, const RunState& state,
                    const std::vector<SnapshotArray>& arrays, int keep);

// What checkpoints/UPDATE/ says of itself.
struct SnapshotRecord {
  RunState state;
  std::vector<std::pair<std::string, std::string>> arrays;  // file in the folder, its snapshot_hash
};
// Throws Error(input) unless state.json is, to the byte, what was written.
SnapshotRecord read_snapshot_record(const std::filesystem::path& folder);
std::string snapshot_hash(std::string_view bytes);  // XXH3

std::vector<std::int64_t> snapshots(const std::filesystem::path& checkpoints);  // updates that have one, newest first

// Fills the arrays from the newest checkpoint whose hashes (XXH3, of every file) hold; broken ones are named in a
// warning and deleted. nullopt if there is none. Throws Error(input) if it is of another job, or can't be read.
std::optional<RunState> read_snapshot(const std::filesystem::path& checkpoints,
                                      const std::vector<SnapshotArray>& arrays, const std::string& job_sha256);

}  // namespace btm
