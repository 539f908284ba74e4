#include "btm/plan/room.h"

#include <algorithm>
#include <optional>

#include "btm/core/cores.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/model/demix.h"
#include "btm/train/cuda_learner.h"
#include "btm/train/score.h"
#include "btm/train/thread_learner.h"

namespace btm {
namespace {

constexpr double kProcessBytes = 40e6;    // program and libraries, tokens read from mapped files not counted
constexpr double kGpuProcessBytes = 3e9;  // with those of CUDA
constexpr double kCudaBytes = 7e8;        // of the GPU's memory, for itself, its kernels and cuBLAS: an estimate

// Of DEMix; else none.
std::optional<DemixLayout> demix_of(const ModelTask& task, const ModelConfig& model) {
  if (!task.demix) return std::nullopt;
  return DemixLayout(model, static_cast<int>(task.domains.size()));
}

double parameters_of(const std::optional<DemixLayout>& demix, const ModelConfig& model) {
  return static_cast<double>(demix ? demix->size : parameter_count(model));
}

TrainingMemory memory_of(const ModelTask& task, const ModelConfig& model, const WorkerShare& share, int ranks) {
  const int sequences = std::max(1, static_cast<int>(task.training.batch_tokens / model.context));
  const std::optional<DemixLayout> demix = demix_of(task, model);
  if (share.on_gpu) {
    const int domains = task.demix ? static_cast<int>(task.domains.size()) : 1;
    const double parameters = parameters_of(demix, model);
    const double more = parameters - static_cast<double>(parameter_count(model));
    const auto plain = static_cast<double>(cuda_learner_bytes(model, task.training, sequences, ranks, domains));
    return {ranks * (kGpuProcessBytes + 3 * parameters * sizeof(float)),  // what checkpoints hold
            kCudaBytes + plain + more * kCudaBytesPerParameter};
  }
  const auto learner = static_cast<double>(
      ThreadLearner::bytes(model, task.training, sequences, share.threads, ranks, demix ? &*demix : nullptr));
  const Operands operands = operands_of(task.training.precision);
  const auto scoring = static_cast<double>(Scorer::bytes(model, model.context, share.threads, operands));  // dev losses
  return {ranks * (kProcessBytes + learner + scoring)};
}

double model_bytes(const ModelTask& task, const ModelConfig& model) {
  const double models = task.demix ? static_cast<double>(task.domains.size()) : 1;
  return models * static_cast<double>(parameter_count(model)) * sizeof(float);
}

double checkpoint_bytes(const ModelTask& task, const ModelConfig& model) {
  const double kept = 1.0 + task.training.keep_checkpoints;  // the new one is written before the oldest goes
  return kept * 3 * parameters_of(demix_of(task, model), model) * sizeof(float);  // weights and two moments
}

double bytes_below(const fs::path& folder) {
  double sum = 0;
  std::error_code none;
  for (fs::recursive_directory_iterator at(folder, none), end; at != end; at.increment(none)) {
    const std::uintmax_t size = at->file_size(none);  // of a folder there is none
    if (!none) sum += static_cast<double>(size);
  }
  return sum;
}

}  // namespace

TrainingGroup training_group(const std::vector<ModelTask>& tasks, const ModelConfig& model,
                             const LauncherSettings& launcher, std::size_t together) {
  const Precision precision = tasks.front().training.precision;  // it has a say in the device, which all share
  TrainingGroup group;
  group.share = share_of(launcher, precision, static_cast<int>(std::max(tasks.size(), together)));
  group.share.workers = std::min(group.share.workers, static_cast<int>(tasks.size()));
  group.ranks = launcher.ranks;
  group.recompute = std::ranges::all_of(tasks, [](const ModelTask& task) { return task.training.recompute; });
  for (const ModelTask& task : tasks) {
    const TrainingMemory memory = memory_of(task, model, group.share, group.ranks);
    group.memory = {std::max(group.memory.host, memory.host), std::max(group.memory.gpu, memory.gpu)};
    group.model_bytes += model_bytes(task, model);
    group.checkpoint_bytes = std::max(group.checkpoint_bytes, group.share.workers * checkpoint_bytes(task, model));
  }
  return group;
}

void require_memory(const TrainingGroup& group) {
  const auto require = [&group](int models, double bytes, double there, const char* whose) {
    if (models * bytes <= there) return;
    throw input_error("training {} at once takes {}B each, and {} has {}B of memory; {}{}a smaller model",
                      counted(models, "model"), format_count(bytes), whose, format_count(there),
                      models > 1 ? "lower launcher.workers, " : "",
                      group.recompute ? "take " : "set training.recompute, or take ");
  };
  const int workers = group.share.workers;
  require(workers, group.memory.host, memory_bytes(), "this machine");
  if (group.memory.gpu == 0) return;
  const Gpu gpu = find_gpu().value_or(Gpu{});
  require((workers * group.ranks + gpu.count - 1) / gpu.count, group.memory.gpu, gpu.memory_bytes, "its GPU");
}

void require_disk(const ForestPaths& forest, double bytes) {
  fs::path there = fs::absolute(forest.root);
  while (!fs::exists(there)) there = there.parent_path();
  std::error_code unknown;
  const fs::space_info space = fs::space(there, unknown);
  if (unknown || bytes <= static_cast<double>(space.available)) return;
  const double room = static_cast<double>(space.available) + bytes_below(forest.runs());
  if (bytes <= room) return;
  throw input_error(
      "{}: models and checkpoints take {}B, and there is room for {}B; free some or choose another folder",
      forest.root.string(), format_count(bytes), format_count(room));
}

}  // namespace btm
