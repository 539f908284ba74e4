#include "btm/train/learner.h"

#include <algorithm>
#include <optional>

#include "btm/train/schedule.h"

namespace btm {
namespace {

constexpr std::size_t kTokensPerCall =
    2048;  // enough rows for the GEMMs; the activations of more only leave the caches

// The largest part of a batch, cut into calls of nearly equal size.
std::size_t per_call(std::size_t sequences, std::size_t length, int threads) {
  auto n = static_cast<std::size_t>(threads);
  std::size_t part = (sequences + n - 1) / n;
  std::size_t limit = std::max<std::size_t>(1, kTokensPerCall / length);
  std::size_t calls = (part + limit - 1) / limit;
  return (part + calls - 1) / calls;
}

}  // namespace

Learner::Learner(Model& model, const TrainingSettings& settings, int sequences, std::int64_t updates, ThreadTeam& team,
                 const DemixLayout* demix)
    : model_(model),
      settings_(settings),
      sequences_(static_cast<std::size_t>(sequences)),
      updates_(updates),
      team_(team),
      demix_(demix),
      sequences_per_call_(per_call(sequences_, static_cast<std::size_t>(model.config.context), team.size())),
      optimiser_(demix ? demix->slices : parameter_layout(model.config), settings, team) {
  std::vector<std::optional<Replica>> made(static_cast<std::size_t>(team.size()));
  team.run([&](int thread) {  // on its own thread, so that its memory lies near its core
    made[static_cast<std::size_t>(thread)].emplace(
        Replica{Transformer(model.config, static_cast<int>(sequences_per_call_), model.config.context,
                            settings.recompute ? Transformer::Use::recomputing : Transformer::Use::training),
                Buffer(model.parameters.size()), 0});
  });
  for (auto& replica : made) {
    replicas_.push_back(std::move(*replica));
    gradients_.push_back(replicas_.back().gradients.data());
  }
}

std::size_t Learner::first_sequence(int thread) const {
  return sequences_ * static_cast<std::size_t>(thread) / static_cast<std::size_t>(team_.size());
}

// Sequences from `at` on for one call: of one domain, for DEMix.
std::size_t Learner::call_size(std::size_t at, std::size_t end, std::span<const int> domains) const {
  end = std::min(end, at + sequences_per_call_);
  std::size_t next = at + 1;
  while (next < end && (!demix_ || domains[next] == domains[at])) ++next;
  return next - at;
}

void Learner::accumulate(int thread, std::span<const TokenId> inputs, std::span<const TokenId> targets,
                         std::span<const int> domains) {
  Replica& replica = replicas_[static_cast<std::size_t>(thread)];
  const auto length = static_cast<std::size_t>(model_.config.context);
  const auto scale = static_cast<float>(1.0 / static_cast<double>(sequences_ * length));
  replica.loss = 0;
  const std::size_t end = first_sequence(thread + 1);
  std::size_t count = 0;
  for (std::size_t at = first_sequence(thread); at < end; at += count) {
    count = call_size(at, end, domains);
    const std::size_t size = count * length;
    if (demix_) replica.transformer.use(demix_->offsets[static_cast<std::size_t>(domains[at])]);
    replica.loss += replica.transformer.train(model_.parameters.data(), inputs.subspan(at * length, size),
                                              targets.subspan(at * length, size), scale, replica.gradients.data());
  }
}

UpdateReport Learner::learn(std::span<const TokenId> inputs, std::span<const TokenId> targets,
                            std::span<const int> domains, std::int64_t update) {
  team_.run([&](int thread) { accumulate(thread, inputs, targets, domains); });
  UpdateReport report;
  for (const Replica& replica : replicas_) report.loss += replica.loss;
  report.loss /= static_cast<double>(inputs.size());
  report.learning_rate = learning_rate(settings_, update, updates_);
  report.gradient_norm = optimiser_.update(model_.parameters.data(), gradients_, report.learning_rate, update);
  return report;
}

}  // namespace btm
