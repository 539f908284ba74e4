// The loss of a weighted average of models as a function of the weights.
#pragma once

#include <span>
#include <vector>

#include "btm/mixture/member.h"
#include "btm/mixture/score_store.h"
#include "btm/model/transformer.h"
#include "btm/train/thread_team.h"

namespace btm {

// Memory: one model and one set of activations (for training also of gradients) per thread; the members themselves are
// mapped.
class AverageLoss {
 public:
  // Whole windows of the sample only; it has at least one. Throws Error(input): unequal shapes.
  // Only one made for training gives gradients.
  AverageLoss(std::span<const Member> members, const Text& sample, int window, int threads,
              Transformer::Use use = Transformer::Use::scoring);

  std::size_t members() const { return models_.size(); }

  // Mean loss on the sample, nats per token, of sum_j weights[j] x member j. `gradient`, where wanted, gets its
  // derivatives by the weights [members]: <d loss / d parameters, parameters of member j>, out of one backward pass.
  double operator()(std::span<const double> weights, std::span<double> gradient = {});

 private:
  void average(std::span<const double> weights);
  std::size_t first_window(int thread) const;

  std::vector<Model> models_;
  Buffer parameters_;
  const Text& sample_;
  std::size_t window_, windows_;
  ThreadTeam team_;
  std::vector<Transformer> replicas_;  // one a thread
  std::vector<Buffer> gradients_;      // one a thread
  std::vector<double> losses_;         // one a thread
};

}  // namespace btm
