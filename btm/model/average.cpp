#include "btm/model/average.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "btm/core/cores.h"
#include "btm/core/error.h"
#include "btm/core/folders.h"
#include "btm/core/interrupt.h"
#include "btm/core/progress.h"
#include "btm/core/thread_team.h"
#include "btm/model/average_check.h"
#include "btm/model/checkpoint.h"
#include "btm/model/weight_files.h"

namespace btm {
namespace {

constexpr std::size_t kStripe = 2048;          // numbers a thread sums at once: 16 KiB of doubles stay in its L1 cache
constexpr std::size_t kBlock = kStripe << 10;  // numbers averaged between two writes: 8 MiB of float32

// One tensor of all sources of weight > 0, in their order.
struct Summands {
  const TensorInfo* result;
  std::vector<const TensorView*> tensors;
  std::vector<double> weights;
};

bool average_stripe(const Summands& summands, std::size_t begin, std::size_t size, char* bytes) {
  std::array<double, kStripe> sums;
  std::span<double> sum(sums.data(), size);
  std::ranges::fill(sum, -0.0);  // the zero that keeps the sign of a zero added to it
  for (std::size_t i = 0; i < summands.tensors.size(); ++i) {
    const TensorView& tensor = *summands.tensors[i];
    std::size_t width = byte_size(tensor.dtype);
    add_weighted(tensor.dtype, tensor.bytes.substr(begin * width, size * width), summands.weights[i], sum);
  }
  return from_double(summands.result->dtype, sum, bytes);
}

// A stripe is a function of the sources alone, so the bytes don't depend on who did it.
bool average_block(const Summands& summands, std::size_t begin, std::size_t size, ThreadTeam& team,
                   std::string& bytes) {
  std::size_t width = byte_size(summands.result->dtype);
  bytes.resize(size * width);
  std::atomic<bool> finite = true;
  team.share((size + kStripe - 1) / kStripe, [&](std::size_t i) {
    const std::size_t at = i * kStripe, count = std::min(kStripe, size - at);
    if (!average_stripe(summands, begin + at, count, bytes.data() + at * width)) finite = false;
  });
  return finite;
}

Error not_finite(const std::vector<WeightFiles>& sources, const std::string& name) {
  for (const WeightFiles& source : sources) {
    const TensorView& tensor = *source.find(name);
    std::vector<float> values(static_cast<std::size_t>(element_count(tensor)));
    if (!to_float(tensor.dtype, tensor.bytes, values)) {
      return input_error("{}: tensor {} holds NaN or infinite numbers", source.folder.string(), name);
    }
  }
  return input_error("tensor {}: the average has numbers too large for {}", name,
                     dtype_name(sources.front().find(name)->dtype));
}

std::vector<double> normalised(const std::vector<WeightedFolder>& sources) {
  double sum = 0;
  for (const WeightedFolder& source : sources) {
    if (!std::isfinite(source.weight) || source.weight < 0) {
      throw input_error("{}: weight {} is not a number >= 0", source.folder.string(), source.weight);
    }
    sum += source.weight;
  }
  if (!(sum > 0) || !std::isfinite(sum)) throw input_error("the weights of an average can't sum to {}", sum);
  std::vector<double> weights;
  weights.reserve(sources.size());
  for (const WeightedFolder& source : sources) weights.push_back(source.weight / sum);
  return weights;
}

Summands gather(const std::vector<WeightFiles>& sources, const std::vector<double>& weights, const TensorView& first) {
  Summands summands{&first, {}, {}};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (weights[i] == 0) continue;
    summands.tensors.push_back(sources[i].find(first.name));
    summands.weights.push_back(weights[i]);
  }
  return summands;
}

// The first source's tensors as its files have them, wide numbers first so that every tensor stays aligned.
std::vector<const TensorView*> output_order(const WeightFiles& first) {
  std::vector<const TensorView*> order;
  for (const SafetensorsFile& file : first.files) {
    for (const TensorView& tensor : file.tensors) order.push_back(&tensor);
  }
  std::ranges::stable_sort(order, std::greater{}, [](const TensorView* tensor) { return byte_size(tensor->dtype); });
  return order;
}

// The tensors of each file to write.
std::vector<std::vector<const TensorView*>> shards_of(const WeightFiles& first, std::int64_t shard_bytes) {
  std::vector<std::vector<const TensorView*>> shards(1);
  std::size_t bytes = 0, most = shard_bytes > 0 ? static_cast<std::size_t>(shard_bytes) : SIZE_MAX;
  for (const TensorView* tensor : output_order(first)) {
    if (!shards.back().empty() && tensor->bytes.size() > most - std::min(most, bytes)) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(tensor);
    bytes += tensor->bytes.size();
  }
  return shards;
}

// As transformers names them: model-00001-of-00003.safetensors.
std::string shard_name(std::size_t index, std::size_t count) {
  return count == 1 ? kWeightsFile : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

class AverageWriter {
 public:
  AverageWriter(const std::vector<WeightFiles>& sources, const std::vector<double>& weights,
                const AverageOptions& options, double total)
      : sources_(sources),
        weights_(weights),
        team_(options.threads > 0 ? options.threads : usable_cores()),
        progress_("average", total, options.quiet) {}

  void write(const std::vector<const TensorView*>& tensors, const fs::path& path) {
    std::vector<TensorInfo> infos;
    infos.reserve(tensors.size());
    for (const TensorView* tensor : tensors) infos.push_back(*tensor);
    SafetensorsWriter writer(path, infos);
    for (const TensorView* tensor : tensors) write(*tensor, writer);
    writer.publish();
  }
  void finish() { progress_.finish(); }

 private:
  void write(const TensorView& tensor, SafetensorsWriter& writer) {
    if (!is_float(tensor.dtype)) return writer.write(tensor.bytes);
    Summands summands = gather(sources_, weights_, tensor);
    auto size = static_cast<std::size_t>(element_count(tensor));
    for (std::size_t at = 0; at < size; at += kBlock) {
      throw_if_interrupted();
      if (!average_block(summands, at, std::min(kBlock, size - at), team_, bytes_)) {
        throw not_finite(sources_, tensor.name);
      }
      writer.write(bytes_);
      progress_.update(done_ += static_cast<double>(bytes_.size()));
    }
  }

  const std::vector<WeightFiles>& sources_;
  const std::vector<double>& weights_;
  ThreadTeam team_;
  Progress progress_;
  double done_ = 0;
  std::string bytes_;
};

void write_average(const std::vector<WeightFiles>& sources, const std::vector<double>& weights, const fs::path& output,
                   const AverageOptions& options) {
  auto shards = shards_of(sources.front(), options.shard_bytes);
  std::size_t total = 0;
  Json index = {{"metadata", Json::object()}, {"weight_map", Json::object()}};
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (const TensorView* tensor : shards[i]) {
      total += tensor->bytes.size();
      index["weight_map"][tensor->name] = shard_name(i, shards.size());
    }
  }
  AverageWriter writer(sources, weights, options, static_cast<double>(total));
  for (std::size_t i = 0; i < shards.size(); ++i) writer.write(shards[i], output / shard_name(i, shards.size()));
  if (shards.size() > 1) {
    index["metadata"]["total_size"] = total;
    write_file(output / kWeightsIndex, index.dump(2) + "\n");
  }
  writer.finish();
}

}  // namespace

Json average_checkpoints(const std::vector<WeightedFolder>& sources, const fs::path& output,
                         const AverageOptions& options) {
  if (sources.empty()) throw input_error("an average needs at least one source");
  auto weights = normalised(sources);
  std::vector<WeightFiles> files;
  files.reserve(sources.size());
  for (const WeightedFolder& source : sources) files.push_back(open_weights(source.folder));
  for (const WeightFiles& other : files) check_averageable(files.front(), other);

  write_average(files, weights, output, options);
  copy_companions(sources.front().folder, output);
  Json record = {{"sources", Json::array()}};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto& [folder, weight, name, sha256] = sources[i];
    Json source = {{"folder", name.empty() ? folder.string() : name}, {"weight", weights[i]}};
    if (sha256.empty()) {
      source["xxh3"] = weights_xxh3(folder);
    } else {
      source["sha256"] = sha256;
    }
    record["sources"].push_back(source);
  }
  write_file(output / kAverageRecord, record.dump(2) + "\n");
  return record;
}

}  // namespace btm
