#include "btm/forest/bundle.h"

#include <algorithm>
#include <array>

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"

namespace btm {
namespace {

constexpr std::uint64_t kLargestHeader = 8 << 20;             // bytes: some thousand tensors and a manifest take 2 MiB
constexpr std::size_t kLongestLine = 1000;                    // of the metrics
constexpr std::size_t kHashedAtOnce = std::size_t{64} << 20;  // bytes between two looks at the interrupt flag
constexpr std::array<std::string_view, 2> kCounts = {"update", "tokens"};
constexpr std::array<std::string_view, 6> kNumbers = {"loss",     "learning_rate", "gradient_norm", "tokens_per_second",
                                                      "dev_loss", "time"};

bool is_plain_line(std::string_view line) {
  if (line.size() > kLongestLine) return false;
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return false;
  for (const auto& [key, value] : json.items()) {
    const bool count = std::ranges::find(kCounts, key) != kCounts.end() && value.is_number_unsigned();
    const bool number = std::ranges::find(kNumbers, key) != kNumbers.end() && value.is_number();
    if (!count && !number) return false;
  }
  return std::ranges::all_of(kCounts, [&json](std::string_view key) { return json.contains(key); }) &&
         json.contains("loss");
}

void check_seal(const SafetensorsFile& file) {
  std::string_view left = file.file.bytes();
  left.remove_suffix(kSealSize);
  Sha256 hash;
  for (; !left.empty(); left.remove_prefix(std::min(kHashedAtOnce, left.size()))) {
    throw_if_interrupted();
    hash.update(left.substr(0, kHashedAtOnce));
  }
  if (hash.hex() == file.tensors.back().bytes) return;
  throw input_error("{}: damaged: its bytes don't have the SHA-256 at its end; get the file again", file.path.string());
}

bool is_bytes(const TensorView& tensor, std::string_view name) {
  return tensor.name == name && tensor.dtype == Dtype::u8 && tensor.shape.size() == 1;
}

}  // namespace

std::string plain_metrics(std::string_view lines) {
  std::string plain;
  for (std::size_t end; (end = lines.find('\n')) != std::string_view::npos; lines.remove_prefix(end + 1)) {
    if (is_plain_line(lines.substr(0, end))) plain += lines.substr(0, end + 1);
  }
  return plain;
}

Bundle open_bundle(const fs::path& path) {
  Bundle bundle{open_safetensors(path, kLargestHeader), {}, {}, {}};
  const std::vector<TensorView>& tensors = bundle.file.tensors;
  const Json& metadata = bundle.file.metadata;
  const bool sealed = tensors.size() >= 2 && is_bytes(tensors.back(), kBundleSeal) &&
                      tensors.back().bytes.size() == kSealSize && is_bytes(tensors[tensors.size() - 2], kBundleMetrics);
  if (!sealed || metadata.is_null() || !metadata.contains(kManifest)) {
    throw input_error("{}: not a bundle; btm export makes them", path.string());
  }
  check_seal(bundle.file);
  bundle.manifest = parse_manifest(metadata[kManifest].get<std::string>(), path.string());
  bundle.weights = std::span(tensors).first(tensors.size() - 2);
  bundle.metrics = tensors[tensors.size() - 2].bytes;
  if (plain_metrics(bundle.metrics) != bundle.metrics) {
    throw input_error("{}: its {} holds other things than the numbers of a training", path.string(), kBundleMetrics);
  }
  return bundle;
}

}  // namespace btm
