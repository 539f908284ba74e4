// An expert on its way from one forest to another, in one file: a safetensors file whose metadata holds the manifest
// (docs/formats.md).
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
  bool delta = false;  // export alone: only the difference to the weights that the expert started from
  bool quiet = false;  // no progress on stderr
};

}  // namespace btm
