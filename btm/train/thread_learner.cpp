#include "btm/train/thread_learner.h"

#include "btm/train/schedule.h"

namespace btm {
namespace {

// In 4 or 8 bytes a number more: not where memory is short.
bool packs_weights(const TrainingSettings& settings) {
  return !settings.recompute;
}

Replicas::Shape shape_of(const ModelConfig& config, const TrainingSettings& settings, int sequences,
                         const DemixLayout* demix) {
  return {config,
          demix,
          static_cast<std::size_t>(sequences),
          config.context,
          use_of(settings),
          operands_of(settings.precision)};
}

// Of all models that the parameters hold: one, or DEMix's.
std::vector<WeightOffsets> offsets_of(const ModelConfig& config, const DemixLayout* demix) {
  return demix ? demix->offsets : std::vector{weight_offsets(config)};
}

}  // namespace

std::size_t ThreadLearner::bytes(const ModelConfig& config, const TrainingSettings& settings, int sequences,
                                 int threads, int ranks, const DemixLayout* demix) {
  const Replicas::Shape shape = shape_of(config, settings, sequences, demix);
  const std::size_t packed =
      packs_weights(settings) ? PackedWeights::bytes(offsets_of(config, demix), shape.operands) : 0;
  return 3 * shape.parameters() * sizeof(float) + packed +  // parameters, two moments
         Replicas::bytes(shape, threads, ranks) + static_cast<std::size_t>(threads) * gemm_bytes(shape.operands);
}

ThreadLearner::ThreadLearner(Model& model, const TrainingSettings& settings, int sequences, std::int64_t updates,
                             ThreadTeam& team, const Ranks& ranks, const DemixLayout* demix)
    : model_(model),
      settings_(settings),
      updates_(updates),
      team_(team),
      ranks_(ranks),
      demix_(demix),
      optimiser_(demix ? demix->slices : parameter_layout(model.config), settings, team),
      replicas_(shape_of(model.config, settings, sequences, demix), team, ranks.rank(), ranks.size()),
      losses_(static_cast<std::size_t>(team.size())),
      scorer_(model.config, team, operands_of(settings.precision)) {
  if (packs_weights(settings)) {
    packed_.emplace(offsets_of(model.config, demix), operands_of(settings.precision));
    replicas_.use(&*packed_);
  }
  if (ranks.size() > 1) {
    const std::span<float* const> gradients = replicas_.gradients();
    gradient_sum_.emplace(ranks, gradient_ranges(model.config, model.parameters.size(), demix),
                          std::vector(gradients.begin(), gradients.end()), team.size());
  }
}

void ThreadLearner::accumulate(int thread, const Replicas::Batch& batch) {
  const bool tells = gradient_sum_ && !demix_ && replicas_.has_sequences(thread);
  const BlockDone tell = [this](int block) { gradient_sum_->block_done(block); };
  losses_[static_cast<std::size_t>(thread)] =
      replicas_.train(thread, model_.parameters.data(), batch, tells ? tell : nullptr);
  if (gradient_sum_) gradient_sum_->thread_done(tells);
}

UpdateReport ThreadLearner::learn(std::span<const TokenId> inputs, std::span<const TokenId> targets,
                                  std::span<const int> domains, std::int64_t update,
                                  const std::function<void()>& before_change) {
  if (packed_) team_.run([&](int thread) { packed_->pack(model_.parameters.data(), {thread, team_.size()}); });
  const Replicas::Batch batch{inputs, targets, domains, static_cast<float>(1.0 / static_cast<double>(inputs.size()))};
  team_.run([&](int thread) { accumulate(thread, batch); });
  UpdateReport report;
  for (const double loss : losses_) report.loss += loss;
  std::span<float* const> gradients = replicas_.gradients();
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
