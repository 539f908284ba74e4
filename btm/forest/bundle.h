// An expert on its way from one forest to another, in one file: a safetensors file whose metadata holds the manifest
// (docs/formats.md). Export and import; in between only copies.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "btm/forest/bundle_manifest.h"
#include "btm/forest/forest.h"
#include "btm/model/safetensors.h"

namespace btm {

inline constexpr char kBundleMetrics[] = "btm.metrics";  // metrics.jsonl, bytes as a tensor
inline constexpr char kBundleSeal[] = "btm.sha256";  // of all bytes of the file before it, 64 digits: the last tensor
inline constexpr std::size_t kSealSize = 64;

struct Bundle {
  SafetensorsFile file;  // mapped
  Manifest manifest;
  std::span<const TensorView> weights;  // numbers, or packed differences; in the order of their bytes
  std::string_view metrics;
};

// Maps the file and reads all of it once to check its hash. Throws Error(input): no bundle, cut off, changed by as much
// as a bit, or not as export_expert writes it. What a hostile sender can make whole and well-formed is up to
// import_expert.
Bundle open_bundle(const std::filesystem::path& path);

// Lines of metrics.jsonl that are whole and hold the numbers that btm writes, nothing else.
std::string plain_metrics(std::string_view lines);

struct BundleOptions {
  bool delta = false;  // export: only the difference to the weights that the expert started from
  bool quiet = false;  // no progress on stderr
};

// Writes the living expert of an opened forest (open_forest) to `output`, whole or not at all. No path, no text, no
// tokenizer and nothing of the data but hashes goes with it. Throws Error(input): no such expert, weights that are
// damaged or that btm didn't write, a delta to parents that aren't in the forest.
Manifest export_expert(const Forest& forest, const std::string& name, const std::filesystem::path& output,
                       const BundleOptions& options);

struct ImportOutcome {
  ExpertInfo expert;       // as it is in the forest
  bool was_there = false;  // with these weights, under whatever name: nothing was done
};

// Checks the bundle against itself and the forest, and adds its expert under `name` (empty: its own): the folder, then
// the line in the log, as a merge does. Where the folder of an expert of the log is lost, it is put back. Throws
// Error(input), with nothing changed: see open_bundle; another tokenizer, shape or number format than the forest's,
// weights that aren't those that the manifest names or that aren't finite, a delta to weights that aren't here, a name
// that is taken or none. The caller holds the forest's lock.
ImportOutcome import_expert(const ForestPaths& paths, const std::filesystem::path& file, const std::string& name,
                            const BundleOptions& options);

}  // namespace btm
