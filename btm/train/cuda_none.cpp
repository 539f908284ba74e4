#include "btm/core/error.h"
#include "btm/train/cuda_learner.h"
#include "btm/train/text_loss.h"

namespace btm {
namespace {

Error no_cuda() {
  return input_error("this btm was built without CUDA; `make cuda` builds one with it");
}

}  // namespace

std::optional<Gpu> find_gpu(NoGpu* why) {
  if (why) *why = {"this btm was built without CUDA (`make cuda` builds one with it)"};
  return std::nullopt;
}

void take_share_of_gpu(int) {}

double measure_gpu_peak() {
  return 0;
}

std::size_t cuda_learner_bytes(const ModelConfig&, const TrainingSettings&, int, int, int) {
  return 0;
}

std::unique_ptr<Learner> make_cuda_learner(Model&, const TrainingSettings&, int, std::int64_t, const Ranks&,
                                           const DemixLayout*) {
  throw no_cuda();
}

std::unique_ptr<TextScorer> make_cuda_text_scorer(const Model&, int) {
  throw no_cuda();
}

std::unique_ptr<TextLoss> make_cuda_text_loss(const ModelConfig&, int, std::span<const TokenId>, Transformer::Use) {
  throw no_cuda();
}

}  // namespace btm
