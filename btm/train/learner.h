// One model in training: its gradients, the optimiser and the schedule, on whatever device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "btm/core/thread_team.h"
#include "btm/core/token.h"
#include "btm/model/demix.h"
#include "btm/model/parameters.h"
#include "btm/model/transformer.h"
#include "btm/train/device.h"
#include "btm/train/ranks.h"
#include "btm/train/settings.h"
#include "btm/train/update_report.h"

namespace btm {

// A sequence is config.context tokens long; a fixed number of them are a batch. Equal inputs on the same device (and
// with the same number of threads and ranks) give equal bytes. A learner may keep the weights and the moments on its
// device: they are in the model and in mean() and square() after to_host(), and from_host() takes them from there.
class Learner {
 public:
  virtual ~Learner() = default;

  // Update number `update` (from 0) on inputs and targets [sequences, context]; `domains` [sequences] says for DEMix
  // whose each is, those of a domain standing together. With a loss or norm that is not finite the parameters stay as
  // they are; the caller looks. `before_change`, if any, is called when the gradients are there, on a GPU when they
  // were asked for: up to then the parameters and the optimiser's moments on the host are only read, and from then on
  // the batch is not read any more.
  virtual UpdateReport learn(std::span<const TokenId> inputs, std::span<const TokenId> targets,
                             std::span<const int> domains, std::int64_t update,
                             const std::function<void()>& before_change = nullptr) = 0;

  // The batch that the next learn() will be given. `before_change` may call this: what the CPU has to do with it is
  // then done while the GPU is at work.
  virtual void prepare(std::span<const TokenId> /*inputs*/, std::span<const TokenId> /*targets*/,
                       std::span<const int> /*domains*/) {}

  // As Scorer::score with the weights as they are, for windows of `window` inputs, under the model that `domain` sees
  // (for DEMix; else whichever).
  virtual void score(int domain, int window, std::span<const TokenId> tokens, std::span<float> log_probs) = 0;

  virtual void to_host() = 0;
  virtual void from_host() = 0;
  virtual std::span<float> mean() = 0;    // first moment [parameters]
  virtual std::span<float> square() = 0;  // second moment [parameters]
};

// How the passes of training go.
inline Transformer::Use use_of(const TrainingSettings& settings) {
  return settings.recompute ? Transformer::Use::recomputing : Transformer::Use::training;
}

struct LearnerOptions {
  Device device = Device::cpu;  // cpu or cuda: what device_for() gave
  int sequences = 1;            // of a batch
  std::int64_t updates = 1;     // of the whole training
};

// The model, the team, the ranks and `demix` (null: a plain model) outlive the learner.
std::unique_ptr<Learner> make_learner(Model& model, const TrainingSettings& settings, const LearnerOptions& options,
                                      ThreadTeam& team, const Ranks& ranks, const DemixLayout* demix = nullptr);

}  // namespace btm
