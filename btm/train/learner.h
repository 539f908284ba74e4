// One model in training: replicas on threads, their gradients, the optimiser and the schedule.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "btm/core/token.h"
#include "btm/model/demix.h"
#include "btm/model/parameters.h"
#include "btm/model/transformer.h"
#include "btm/train/adamw.h"
#include "btm/train/gradient_sum.h"
#include "btm/train/ranks.h"
#include "btm/train/settings.h"
#include "btm/train/thread_team.h"

namespace btm {

struct UpdateReport {
  double loss = 0;  // nats per token, mean over the batch, before the update
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
};

// Everything is allocated by the constructor. A sequence is config.context tokens long; `sequences` of them are a
// batch. Each thread of each rank has a replica; replica r of n takes sequences [sequences * r / n, sequences * (r + 1)
// / n), a few per call, and sums are taken in the order of the replicas, so that equal inputs and thread counts give
// equal bytes. All ranks come to the same weights.
class Learner {
 public:
  // What a process with `threads` replicas of `replicas` in all takes: parameters, optimiser, gradients, activations.
  static std::size_t bytes(const ModelConfig& config, const TrainingSettings& settings, int sequences, int threads,
                           int replicas);

  // The model, the team, the ranks and `demix` (null: a plain model) outlive the learner.
  Learner(Model& model, const TrainingSettings& settings, int sequences, std::int64_t updates, ThreadTeam& team,
          const Ranks& ranks, const DemixLayout* demix = nullptr);

  // Update number `update` (from 0) on inputs and targets [sequences, context]; `domains` [sequences] says for DEMix
  // whose each is, those of a domain standing together. With a loss or norm that is not finite the parameters stay as
  // they are; the caller looks. `before_change`, if any, is called when the gradients are there: up to then the
  // parameters and the optimiser's moments are only read.
  UpdateReport learn(std::span<const TokenId> inputs, std::span<const TokenId> targets, std::span<const int> domains,
                     std::int64_t update, const std::function<void()>& before_change = nullptr);

  AdamW& optimiser() { return optimiser_; }

 private:
  struct Replica {
    Transformer transformer;
    Buffer gradients;
    double loss = 0;  // summed over its part of the batch
  };
  void accumulate(int thread, std::span<const TokenId> inputs, std::span<const TokenId> targets,
                  std::span<const int> domains);
  std::size_t call_size(std::size_t at, std::size_t end, std::span<const int> domains) const;
  std::size_t first_sequence(int thread) const;
  std::vector<std::size_t> block_begins() const;

  Model& model_;
  TrainingSettings settings_;
  std::size_t sequences_;
  std::int64_t updates_;
  ThreadTeam& team_;
  const Ranks& ranks_;
  const DemixLayout* demix_;
  std::size_t sequences_per_call_;
  AdamW optimiser_;
  std::vector<Replica> replicas_;
  std::vector<float*> gradients_;            // of the replicas
  std::optional<GradientSum> gradient_sum_;  // over ranks; none with one rank, where the optimiser sums
};

}  // namespace btm
