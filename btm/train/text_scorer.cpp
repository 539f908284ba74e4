#include "btm/train/text_scorer.h"

#include "btm/core/thread_team.h"
#include "btm/train/device.h"
#include "btm/train/score.h"

namespace btm {
namespace {

class CpuTextScorer : public TextScorer {
 public:
  CpuTextScorer(const Model& model, int window, const ScoringPlace& place)
      : TextScorer(model.config, window),
        model_(model),
        team_(place.threads),
        scorer_(model.config, window, team_, operands_of(place.precision)) {}

  void score(std::span<const TokenId> tokens, std::span<float> log_probs) override {
    scorer_.score(model_.parameters.data(), tokens, log_probs);
  }

 private:
  const Model& model_;
  ThreadTeam team_;
  Scorer scorer_;
};

}  // namespace

ScoringPlace decided(const ScoringPlace& place) {
  const Device device = device_for(place.device, place.precision);
  return {device, place.threads, device == Device::cuda ? Precision::bf16 : precision_of(operands_of(place.precision))};
}

std::unique_ptr<TextScorer> make_text_scorer(const Model& model, int window, const ScoringPlace& place) {
  const ScoringPlace there = decided(place);
  if (there.device == Device::cuda) return make_cuda_text_scorer(model, window);
  return std::make_unique<CpuTextScorer>(model, window, there);
}

}  // namespace btm
