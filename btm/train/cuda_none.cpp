#include "btm/core/error.h"
#include "btm/train/cuda_learner.h"
#include "btm/train/text_scorer.h"

namespace btm {

std::optional<Gpu> find_gpu() {
  return std::nullopt;
}

double measure_gpu_peak() {
  return 0;
}

std::size_t cuda_learner_bytes(const ModelConfig&, const TrainingSettings&, int, int) {
  return 0;
}

std::unique_ptr<Learner> make_cuda_learner(Model&, const TrainingSettings&, int, std::int64_t, const Ranks&,
                                           const DemixLayout*) {
  throw input_error("this btm was built without CUDA; `make cuda` builds one with it");
}

std::unique_ptr<TextScorer> make_cuda_text_scorer(const Model&, int) {
  throw input_error("this btm was built without CUDA; `make cuda` builds one with it");
}

}  // namespace btm
