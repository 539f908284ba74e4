#include "btm/train/thread_learner.h"

#include <algorithm>
#include <optional>

#include "btm/train/passes.h"
#include "btm/train/schedule.h"

namespace btm {
namespace {

// The largest part of a batch, cut into calls of nearly equal size.
std::size_t per_call(std::size_t sequences, int length, int replicas, int threads_together) {
  const std::size_t part = largest_part(sequences, replicas);
  const auto limit = static_cast<std::size_t>(sequences_per_call(length) * threads_together);
  const std::size_t calls = (part + limit - 1) / limit;
  return (part + calls - 1) / calls;
}

// In 4 or 8 bytes a number more: not where memory is short.
bool packs_weights(const TrainingSettings& settings) {
  return packs(operands_of(settings.precision)) && !settings.recompute;
}

}  // namespace

std::size_t ThreadLearner::bytes(const ModelConfig& config, std::size_t parameters, const TrainingSettings& settings,
                                 int sequences, int threads, int ranks) {
  const Operands operands = operands_of(settings.precision);
  const auto batch = static_cast<std::size_t>(sequences);
  const int together = threads_per_sequence(parameters, batch, config.context, threads, ranks);
  const int replicas = threads / together;
  const std::size_t calls = per_call(batch, config.context, replicas * ranks, together);
  const std::size_t model = parameters * sizeof(float);
  const std::size_t replica =
      Transformer::bytes(config, static_cast<int>(calls), config.context, use_of(settings), operands, together);
  const double plain = packs_weights(settings) ? static_cast<double>(PackedWeights::bytes(config, operands)) : 0;
  const auto packed =
      static_cast<std::size_t>(plain * static_cast<double>(parameters) / static_cast<double>(parameter_count(config)));
  return 3 * model + packed +  // parameters, two moments
         static_cast<std::size_t>(replicas) * (replica + model) +
         static_cast<std::size_t>(threads) * gemm_bytes(operands);
}

ThreadLearner::ThreadLearner(Model& model, const TrainingSettings& settings, int sequences, std::int64_t updates,
                             ThreadTeam& team, const Ranks& ranks, const DemixLayout* demix)
    : model_(model),
      settings_(settings),
      sequences_(static_cast<std::size_t>(sequences)),
      updates_(updates),
      team_(team),
      ranks_(ranks),
      demix_(demix),
      threads_together_(
          threads_per_sequence(model.parameters.size(), sequences_, model.config.context, team.size(), ranks.size())),
      sequences_per_call_(per_call(sequences_, model.config.context, team.size() / threads_together_ * ranks.size(),
                                   threads_together_)),
      optimiser_(demix ? demix->slices : parameter_layout(model.config), settings, team),
      scorer_(model.config, team, operands_of(settings.precision)) {
  std::vector<std::optional<Replica>> made(static_cast<std::size_t>(team.size() / threads_together_));
  team.run([&](int thread) {  // on its own thread, so that memory lies near its core (or the first's of those together)
    if (thread % threads_together_ != 0) return;
    made[static_cast<std::size_t>(thread / threads_together_)].emplace(
        Transformer(model.config, static_cast<int>(sequences_per_call_), model.config.context, use_of(settings),
                    operands_of(settings.precision), threads_together_),
        Buffer(model.parameters.size()));
  });
  if (packs_weights(settings)) {
    const WeightOffsets plain = weight_offsets(model.config);
    packed_.emplace(demix ? std::span(demix->offsets) : std::span(&plain, 1), operands_of(settings.precision));
  }
  for (auto& replica : made) {
    replicas_.push_back(std::move(*replica));
    if (packed_) replicas_.back().transformer.use(&*packed_);
    gradients_.push_back(replicas_.back().gradients.data());
  }
  losses_.resize(static_cast<std::size_t>(team.size()));
  if (ranks.size() > 1) {
    gradient_sum_.emplace(ranks, gradient_ranges(model.config, model.parameters.size(), demix), gradients_,
                          team.size());
  }
}

// Of this rank's `replica`, or of the one behind its last.
std::size_t ThreadLearner::first_sequence(int replica) const {
  const int here = static_cast<int>(replicas_.size());
  return part_begin(sequences_, ranks_.rank() * here + replica, ranks_.size() * here);
}

void ThreadLearner::accumulate(int thread, std::span<const TokenId> inputs, std::span<const TokenId> targets,
                               std::span<const int> domains) {
  const int at_replica = thread / threads_together_, member = thread % threads_together_;
  auto& [transformer, gradients] = replicas_[static_cast<std::size_t>(at_replica)];
  double& loss = losses_[static_cast<std::size_t>(thread)];
  const auto length = static_cast<std::size_t>(model_.config.context);
  const auto scale = static_cast<float>(1.0 / static_cast<double>(sequences_ * length));
  loss = 0;
  const std::size_t begin = first_sequence(at_replica), end = first_sequence(at_replica + 1);
  const BlockDone tell = [this](int block) { gradient_sum_->block_done(block); };
  const bool tells = gradient_sum_ && !demix_ && begin < end;
  std::size_t count = 0;
  for (std::size_t at = begin; at < end; at += count) {
    count = call_size(at, end, sequences_per_call_, demix_ ? domains : std::span<const int>());
    const std::size_t size = count * length;
    if (demix_) transformer.use(demix_->offsets[static_cast<std::size_t>(domains[at])], member);
    loss += transformer.train(model_.parameters.data(), inputs.subspan(at * length, size),
                              targets.subspan(at * length, size), scale, gradients.data(),
                              tells && at + count == end ? tell : nullptr, member);
  }
  if (gradient_sum_) gradient_sum_->thread_done(tells);
}

UpdateReport ThreadLearner::learn(std::span<const TokenId> inputs, std::span<const TokenId> targets,
                                  std::span<const int> domains, std::int64_t update,
                                  const std::function<void()>& before_change) {
  if (packed_) team_.run([&](int thread) { packed_->pack(model_.parameters.data(), {thread, team_.size()}); });
  team_.run([&](int thread) { accumulate(thread, inputs, targets, domains); });
  UpdateReport report;
  for (const double loss : losses_) report.loss += loss;
  std::span<float* const> gradients = gradients_;
  if (gradient_sum_) {
    gradient_sum_->finish();
    gradients = gradients.first(1);
    report.loss = ranks_.sum(report.loss);
  }
  if (before_change) before_change();
  report.loss /= static_cast<double>(inputs.size());
  report.learning_rate = learning_rate(settings_, update, updates_);
  report.gradient_norm = optimiser_.update(model_.parameters.data(), gradients, report.learning_rate, update);
  return report;
}

void ThreadLearner::score(int domain, int window, std::span<const TokenId> tokens, std::span<float> log_probs) {
  Scorer& scorer = scorer_.of(window);
  if (demix_) scorer.use(demix_->offsets[static_cast<std::size_t>(domain)]);
  scorer.score(model_.parameters.data(), tokens, log_probs);
}

}  // namespace btm
