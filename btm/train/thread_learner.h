// A model in training on the cores of this machine: replicas on threads, and on ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "btm/model/packed_weights.h"
#include "btm/train/adamw.h"
#include "btm/train/gradient_sum.h"
#include "btm/train/learner.h"
#include "btm/train/replicas.h"
#include "btm/train/score.h"

namespace btm {

// What learn() needs is allocated by the constructor. Sums are taken in the order of the replicas, so that equal inputs
// and thread counts give equal bytes. All ranks come to the same weights.
class ThreadLearner : public Learner {
 public:
  // What one of `ranks` processes takes: parameters, optimiser, gradients, activations. `demix` as below.
  static std::size_t bytes(const ModelConfig& config, const TrainingSettings& settings, int sequences, int threads,
                           int ranks, const DemixLayout* demix = nullptr);

  // The model, the team, the ranks and `demix` (null: a plain model) outlive the learner.
  ThreadLearner(Model& model, const TrainingSettings& settings, int sequences, std::int64_t updates, ThreadTeam& team,
                const Ranks& ranks, const DemixLayout* demix = nullptr);

  UpdateReport learn(std::span<const TokenId> inputs, std::span<const TokenId> targets, std::span<const int> domains,
                     std::int64_t update, const std::function<void()>& before_change = nullptr) override;
  void score(int domain, int window, std::span<const TokenId> tokens, std::span<float> log_probs) override;

  void to_host() override {}  // they are there
  void from_host() override {}
  std::span<float> mean() override { return optimiser_.mean().span(); }
  std::span<float> square() override { return optimiser_.square().span(); }

 private:
  void accumulate(int thread, const Replicas::Batch& batch);

  Model& model_;
  TrainingSettings settings_;
  std::int64_t updates_;
  ThreadTeam& team_;
  const Ranks& ranks_;
  const DemixLayout* demix_;
  AdamW optimiser_;
  std::optional<PackedWeights> packed_;  // of the weights as they are; none where that doesn't pay
  Replicas replicas_;
  std::vector<double> losses_;               // of each thread, summed over its part of the batch
  std::optional<GradientSum> gradient_sum_;  // over ranks; none with one rank, where the optimiser sums
  WindowScorer scorer_;
};

}  // namespace btm
