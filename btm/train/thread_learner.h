// A model in training on the cores of this machine: replicas on threads, and on ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "btm/model/transformer.h"
#include "btm/train/adamw.h"
#include "btm/train/gradient_sum.h"
#include "btm/train/learner.h"
#include "btm/train/score.h"

namespace btm {

// What learn() needs is allocated by the constructor. Each thread of each rank has a replica and its gradients, or some
// threads one together (threads_per_sequence()); replica r of n takes sequences [sequences * r / n, sequences * (r + 1)
// / n), a few per call, and sums are taken in the order of the replicas, so that equal inputs and thread counts give
// equal bytes.
// All ranks come to the same weights.
class ThreadLearner : public Learner {
 public:
  // What one of `ranks` processes takes: parameters (of which DEMix has more than a plain model), optimiser, gradients,
  // activations.
  static std::size_t bytes(const ModelConfig& config, std::size_t parameters, const TrainingSettings& settings,
                           int sequences, int threads, int ranks);

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
  struct Replica {
    Transformer transformer;
    Buffer gradients;
  };
  void accumulate(int thread, std::span<const TokenId> inputs, std::span<const TokenId> targets,
                  std::span<const int> domains);
  std::size_t first_sequence(int replica) const;

  Model& model_;
  TrainingSettings settings_;
  std::size_t sequences_;
  std::int64_t updates_;
  ThreadTeam& team_;
  const Ranks& ranks_;
  const DemixLayout* demix_;
  int threads_together_;  // of a replica
  std::size_t sequences_per_call_;
  AdamW optimiser_;
  std::optional<PackedWeights> packed_;  // of the weights as they are; none where that doesn't pay
  std::vector<Replica> replicas_;
  std::vector<float*> gradients_;            // of the replicas
  std::vector<double> losses_;               // of each thread, summed over its part of the batch
  std::optional<GradientSum> gradient_sum_;  // over ranks; none with one rank, where the optimiser sums
  WindowScorer scorer_;
};

}  // namespace btm
