// The loss of a weighted average of models as a function of the weights.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "btm/core/thread_team.h"
#include "btm/mixture/member.h"
#include "btm/mixture/score_store.h"
#include "btm/train/text_loss.h"

namespace btm {

// Memory: one model, for training also one of gradients, and what a pass takes; the members themselves are mapped.
class AverageLoss {
 public:
  // Whole windows of the sample only; it has at least one, and outlives this. Throws Error(input): unequal shapes.
  // Only one made for training gives gradients.
  AverageLoss(std::span<const Member> members, const Text& sample, int window, const ScoringPlace& place,
              Transformer::Use use = Transformer::Use::scoring);

  std::size_t members() const { return models_.size(); }

  // Mean loss on the sample, nats per token, of sum_j weights[j] x member j. `gradient`, where wanted, gets its
  // derivatives by the weights [members]: <d loss / d parameters, parameters of member j>, out of one backward pass.
  double operator()(std::span<const double> weights, std::span<double> gradient = {});

 private:
  std::vector<Model> models_;
  ThreadTeam team_;
  Buffer parameters_, gradient_;  // of the average; no gradient for scoring
  std::unique_ptr<TextLoss> loss_;
};

}  // namespace btm
