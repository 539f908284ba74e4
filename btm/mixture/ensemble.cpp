#include "btm/mixture/ensemble.h"

#include <algorithm>
#include <numeric>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/model/checkpoint.h"
#include "btm/model/kernels/loss.h"

namespace btm {

namespace {

std::int64_t stored_bytes(const Model& model) {
  return static_cast<std::int64_t>(model.parameters.size() * sizeof(float));
}

// Of an expert that stays in memory.
std::int64_t weight_bytes(const Model& model, std::optional<NarrowFormat> format) {
  if (!format) return stored_bytes(model);
  const auto narrow = static_cast<std::int64_t>(NarrowWeights::bytes(model.config, *format));
  return model.parameters.mapped() ? narrow : narrow + stored_bytes(model);
}

std::optional<NarrowFormat> narrow_format(GenerationPrecision precision, const Member& member) {
  switch (precision) {
    case GenerationPrecision::fp32:
      return std::nullopt;
    case GenerationPrecision::bf16:
      return NarrowFormat::bf16;
    case GenerationPrecision::int8:
      return NarrowFormat::int8;
    case GenerationPrecision::automatic:
      break;
  }
  const bool narrow = member.sources.size() == 1 && stored_dtype(member.sources.front().folder) == Dtype::bf16;
  return narrow ? std::optional(NarrowFormat::bf16) : std::nullopt;
}

Error too_little_memory(std::int64_t needed, std::int64_t given) {
  return input_error("these experts need at least {}B of memory to generate, and {}B are given (--memory)",
                     format_count(static_cast<double>(needed)), format_count(static_cast<double>(given)));
}

}  // namespace

// Calls work(j) for every expert, side by side on the team's threads.
template <class Work>
void Ensemble::for_each_expert(Work&& work) {
  team_.run([&](int thread) {
    for (auto j = static_cast<std::size_t>(thread); j < experts_.size(); j += static_cast<std::size_t>(team_.size())) {
      work(j);
      if (!experts_[j].stays) experts_[j].model->parameters.drop_pages();
    }
  });
}

Ensemble::Ensemble(const std::vector<Member>& members, const MixtureWeights& weights, const EnsembleOptions& options)
    : settings_(weights), team_(std::clamp(options.threads, 1, std::max(1, static_cast<int>(members.size())))) {
  check_prior(weights.prior, members.size());
  const std::int64_t beside = bytes_beside(members, options);
  for (const Member& member : members) add(member, options);
  for (int i = 0; i < options.sequences; ++i) {
    states_.push_back({Posterior(weights), Buffer(static_cast<std::size_t>(vocab_)), 0});
  }
  choose_resident(options.memory - beside, options.memory);
  for_each_expert([&](std::size_t j) {
    Expert& expert = experts_[j];
    if (expert.format && expert.stays) {
      expert.narrow = std::make_unique<NarrowWeights>(*expert.model, *expert.format);
      expert.model->parameters.drop_pages();
    }
    expert.decoder.emplace(*expert.model, options.sequences, expert.narrow.get(),
                           Decoder::room(expert.model->config, options.tokens));
  });
}

// What the experts take beside their weights. Refuses a limit that leaves no room for one of them a thread, before any
// is read.
std::int64_t Ensemble::bytes_beside(const std::vector<Member>& members, const EnsembleOptions& options) const {
  std::int64_t beside = 0, largest = 0;
  for (const Member& member : members) {
    const ModelConfig config = load_config(member.sources.front().folder);
    const std::int64_t logits = std::int64_t{options.sequences} * config.vocab_size;
    beside +=
        static_cast<std::int64_t>(Decoder::bytes(config, options.sequences, Decoder::room(config, options.tokens)) +
                                  static_cast<std::size_t>(logits) * sizeof(float));
    largest = std::max(largest, parameter_count(config) * static_cast<std::int64_t>(sizeof(float)));
  }
  const std::int64_t least = beside + team_.size() * largest;
  if (options.memory > 0 && least > options.memory) throw too_little_memory(least, options.memory);
  return beside;
}

void Ensemble::add(const Member& member, const EnsembleOptions& options) {
  auto model = std::make_unique<Model>(load_member(member));
  const ModelConfig& config = model->config;
  const int room = Decoder::room(config, options.tokens);
  context_ = context_ == 0 ? room : std::min(context_, room);
  if (vocab_ != 0 && config.vocab_size != vocab_) {
    throw input_error("{} has a vocabulary of {} tokens, {} one of {}: they can't be mixed", member.name,
                      config.vocab_size, experts_.front().name, vocab_);
  }
  vocab_ = config.vocab_size;
  // Its weights were read to be checked; with a limit it is not known yet whether they may stay.
  if (options.memory > 0) model->parameters.drop_pages();
  const auto logits = static_cast<std::size_t>(options.sequences) * static_cast<std::size_t>(vocab_);
  experts_.push_back(
      {member.name, std::move(model), narrow_format(options.precision, member), nullptr, {}, Buffer(logits)});
}

// The experts of largest prior stay in memory as long as there is room for them and for one more on each thread.
void Ensemble::choose_resident(std::int64_t room, std::int64_t limit) {
  resident_ = experts_.size();
  if (limit == 0) return;
  std::int64_t all = 0, largest = 0, unmapped = 0;
  for (Expert& expert : experts_) {
    const std::int64_t bytes = weight_bytes(*expert.model, expert.format);
    all += bytes;
    largest = std::max(largest, stored_bytes(*expert.model));
    expert.stays = !expert.model->parameters.mapped();
    if (expert.stays) unmapped += bytes;
  }
  if (all <= room) {
    for (Expert& expert : experts_) expert.stays = true;
    return;
  }
  room -= unmapped + team_.size() * largest;
  if (room < 0) throw too_little_memory(limit - room, limit);
  std::vector<std::size_t> order(experts_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [this](std::size_t a, std::size_t b) { return settings_.prior[a] > settings_.prior[b]; });
  for (std::size_t j : order) {
    Expert& expert = experts_[j];
    const std::int64_t bytes = weight_bytes(*expert.model, expert.format);
    if (expert.stays || bytes > room) continue;
    expert.stays = true;
    room -= bytes;
  }
  resident_ = static_cast<std::size_t>(
      std::count_if(experts_.begin(), experts_.end(), [](const Expert& expert) { return expert.stays; }));
}

float* Ensemble::logits(Expert& expert, int sequence) const {
  return expert.logits.data() + static_cast<std::size_t>(sequence) * static_cast<std::size_t>(vocab_);
}

void Ensemble::begin(int sequence, std::span<const TokenId> prompt) {
  State& state = states_[static_cast<std::size_t>(sequence)];
  state.posterior = Posterior(settings_);
  const std::size_t targets = prompt.size() - 1;
  std::vector<float> log_probs(experts_.size() * targets), column(experts_.size());
  read(sequence, prompt, log_probs);
  for (std::size_t t = 0; t < targets; ++t) {
    for (std::size_t j = 0; j < column.size(); ++j) column[j] = log_probs[j * targets + t];
    state.posterior.observe(column);
  }
  mix(sequence);
}

void Ensemble::reread(int sequence, std::span<const TokenId> tokens) {
  observe(sequence, tokens.back());
  read(sequence, tokens, {});
  mix(sequence);
}

// Runs all tokens anew; log_probs [experts, tokens - 1], where wanted, gets log p of the second token on.
void Ensemble::read(int sequence, std::span<const TokenId> tokens, std::span<float> log_probs) {
  State& state = states_[static_cast<std::size_t>(sequence)];
  for_each_expert([&](std::size_t j) {
    if (!state.posterior.runs(j)) return;
    Expert& expert = experts_[j];
    expert.decoder->reset(sequence);
    const std::size_t targets = log_probs.size() / experts_.size();
    auto own = log_probs.subspan(j * targets, targets);
    const std::span<const float> next = expert.decoder->append(tokens, sequence, own);
    std::copy_n(next.data(), next.size(), logits(expert, sequence));
  });
  for (std::size_t j = 0; j < experts_.size(); ++j) {
    if (state.posterior.runs(j)) runs_ += static_cast<std::int64_t>(tokens.size());
  }
  state.length = static_cast<int>(tokens.size());
  read_ += state.length;
}

// Takes the token that the experts' logits were for into the posterior.
void Ensemble::observe(int sequence, TokenId token) {
  Posterior& posterior = states_[static_cast<std::size_t>(sequence)].posterior;
  std::vector<float> log_probs(experts_.size());
  for (std::size_t j = 0; j < log_probs.size(); ++j) {
    if (posterior.runs(j)) log_probabilities(1, vocab_, logits(experts_[j], sequence), &token, &log_probs[j]);
  }
  posterior.observe(log_probs);
}

void Ensemble::step(std::span<const int> sequences, std::span<const TokenId> tokens) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    observe(sequences[i], tokens[i]);
    ++states_[static_cast<std::size_t>(sequences[i])].length;
  }
  std::vector<std::int64_t> runs(experts_.size());
  for_each_expert([&](std::size_t j) {
    Expert& expert = experts_[j];
    std::vector<int> running;
    std::vector<TokenId> next;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      if (!states_[static_cast<std::size_t>(sequences[i])].posterior.runs(j)) continue;
      running.push_back(sequences[i]);
      next.push_back(tokens[i]);
    }
    runs[j] = static_cast<std::int64_t>(running.size());
    if (running.empty()) return;
    std::span<const float> rows = expert.decoder->step(running, next);
    for (std::size_t i = 0; i < running.size(); ++i) {
      auto width = static_cast<std::size_t>(vocab_);
      // Of pointers: libstdc++ 12's ranges::copy out of const floats is a loop over single ones.
      std::copy_n(rows.data() + i * width, width, logits(expert, running[i]));
    }
  });
  read_ += static_cast<std::int64_t>(tokens.size());
  runs_ += std::accumulate(runs.begin(), runs.end(), std::int64_t{0});
  for (int sequence : sequences) mix(sequence);
}

void Ensemble::mix(int sequence) {
  if (experts_.size() == 1) return;
  State& state = states_[static_cast<std::size_t>(sequence)];
  std::vector<double> weights(experts_.size());
  state.posterior.weights(weights);
  std::span<float> scores = state.scores.span();
  std::ranges::fill(scores, 0.0f);
  for (std::size_t j = 0; j < weights.size(); ++j) {
    const auto weight = static_cast<float>(weights[j]);
    if (weight <= 0) continue;
    add_probabilities(vocab_, logits(experts_[j], sequence), weight, scores.data());
  }
  take_logs(vocab_, scores.data());
}

std::span<const float> Ensemble::scores(int sequence) const {
  const std::size_t width = static_cast<std::size_t>(vocab_);
  if (experts_.size() > 1) return states_[static_cast<std::size_t>(sequence)].scores.span();
  return experts_.front().logits.span().subspan(static_cast<std::size_t>(sequence) * width, width);
}

void Ensemble::weights(int sequence, std::span<double> out) const {
  states_[static_cast<std::size_t>(sequence)].posterior.weights(out);
}

}  // namespace btm
