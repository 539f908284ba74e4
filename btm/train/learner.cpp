#include "btm/train/learner.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/log.h"
#include "btm/train/cuda_learner.h"
#include "btm/train/thread_learner.h"

namespace btm {

Device device_for(Device wanted, Precision precision) {
  if (wanted == Device::cpu) return wanted;
  NoGpu hindrance;
  if (precision == Precision::fp32 || precision == Precision::int16) {
    hindrance.reason = fmt::format("precision {} is for the CPU; a GPU multiplies bf16", to_word(precision));
  } else if (find_gpu(&hindrance)) {
    return Device::cuda;
  } else {
    hindrance.reason += "; see `btm doctor`";
  }
  if (wanted == Device::cuda) throw input_error("device cuda can't be used: {}", hindrance.reason);
  if (hindrance.refused) {
    [[maybe_unused]] static const bool told =
        (log_warning(fmt::format("the CPU is used, not the GPU: {}", hindrance.reason)), true);
  }
  return Device::cpu;
}

std::size_t call_size(std::size_t at, std::size_t end, std::size_t most, std::span<const int> domains) {
  end = std::min(end, at + most);
  std::size_t next = at + 1;
  while (next < end && (domains.empty() || domains[next] == domains[at])) ++next;
  return next - at;
}

std::unique_ptr<Learner> make_learner(Model& model, const TrainingSettings& settings, const LearnerOptions& options,
                                      ThreadTeam& team, const Ranks& ranks, const DemixLayout* demix) {
  if (options.device == Device::cuda) {
    return make_cuda_learner(model, settings, options.sequences, options.updates, ranks, demix);
  }
  return std::make_unique<ThreadLearner>(model, settings, options.sequences, options.updates, team, ranks, demix);
}

}  // namespace btm
