#include "btm/mixture/evaluation_rows.h"

#include <chrono>
#include <cmath>
#include <numbers>
#include <numeric>

#include "btm/train/thread_team.h"

namespace btm {

namespace {

Scores read_scores(const Evaluation& evaluation, const Text& text, std::span<const int> experts, double& seconds) {
  Scores scores{{}, text.targets(), evaluation.store->window(), {}};
  for (int j : experts) {
    const Member& expert = evaluation.experts[static_cast<std::size_t>(j)];
    StoredScores stored = evaluation.store->read(expert, text);
    scores.experts.push_back(expert.name);
    scores.log_probs.insert(scores.log_probs.end(), stored.log_probs.begin(), stored.log_probs.end());
    seconds += stored.seconds;
  }
  return scores;
}

std::vector<int> all_experts(const Evaluation& evaluation) {
  std::vector<int> all(evaluation.experts.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// The k experts to run: by the prior of the settings; a uniform one says nothing, so there the cached one chooses.
std::vector<int> choose_experts(const PriorSettings& settings, const Scores& dev, int k) {
  bool fitted = settings.posterior == PriorKind::fitted;
  return largest(fitted ? fitted_prior(dev) : cached_prior(dev, settings.forgetting.value_or(1)), k);
}

DomainResult mix_domain(const Evaluation& evaluation, const DomainTexts& texts, const PriorSettings& settings, int k) {
  Scores dev = dev_scores(evaluation, texts);
  std::vector<int> experts = k == 0 ? all_experts(evaluation) : choose_experts(settings, dev, k);
  MixtureWeights weights = choose_weights(settings, select_experts(dev, experts));
  DomainResult result;
  Scores test = read_scores(evaluation, texts.test, experts, result.seconds);
  auto start = std::chrono::steady_clock::now();
  result.loss = mixture_loss(test, weights);
  result.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Json prior = Json::object();
  for (std::size_t j = 0; j < experts.size(); ++j) prior[test.experts[j]] = weights.prior[j];
  result.detail = {{"prior", prior}, {"forgetting", weights.forgetting}, {"evidence", weights.evidence}};
  return result;
}

Json quality(double perplexity, double bits_per_byte) {
  return {{"perplexity", perplexity}, {"bits_per_byte", bits_per_byte}};
}

// Arithmetic means over the domains of the role, as in the paper; null if there are none.
Json mean_of(const Evaluation& evaluation, const Json& domains, const std::string& role) {
  double perplexity = 0, bits = 0;
  int count = 0;
  for (const DomainTexts& texts : evaluation.texts) {
    if (role != "all" && texts.role != role) continue;
    perplexity += domains[texts.name]["perplexity"].get<double>();
    bits += domains[texts.name]["bits_per_byte"].get<double>();
    ++count;
  }
  return count == 0 ? Json(nullptr) : quality(perplexity / count, bits / count);
}

double three_digits(double value) {
  if (!(value > 0)) return 0;
  double unit = std::pow(10, std::floor(std::log10(value)) - 2);
  return std::round(value / unit) * unit;
}

}  // namespace

Scores dev_scores(const Evaluation& evaluation, const DomainTexts& texts) {
  double seconds = 0;
  return read_scores(evaluation, texts.dev, all_experts(evaluation), seconds);
}

Row mixture_row(const Evaluation& evaluation, const std::string& name, const PriorSettings& settings, int k) {
  Row row{name, settings_json(settings), static_cast<double>(k == 0 ? evaluation.experts.size() : k), {}};
  row.domains.resize(evaluation.texts.size());
  ThreadTeam team(evaluation.threads);
  team.run([&](int thread) {
    for (auto i = static_cast<std::size_t>(thread); i < row.domains.size();
         i += static_cast<std::size_t>(evaluation.threads)) {
      row.domains[i] = mix_domain(evaluation, evaluation.texts[i], settings, k);
    }
  });
  return row;
}

Row member_row(const Evaluation& evaluation, const std::string& name,
               const std::function<const Member&(std::size_t)>& choose) {
  Row row{name, Json::object(), 1, {}};
  for (std::size_t i = 0; i < evaluation.texts.size(); ++i) {
    const Member& member = choose(i);
    StoredScores stored = evaluation.store->read(member, evaluation.texts[i].test);
    double loss = -std::accumulate(stored.log_probs.begin(), stored.log_probs.end(), 0.0);
    row.domains.push_back({loss, stored.seconds, {{"model", member.name}}});
  }
  return row;
}

Json row_json(const Evaluation& evaluation, const Row& row, const Json& training) {
  Json domains = Json::object();
  double tokens = 0, seconds = 0;
  for (std::size_t i = 0; i < row.domains.size(); ++i) {
    const DomainTexts& texts = evaluation.texts[i];
    const DomainResult& result = row.domains[i];
    auto targets = static_cast<double>(texts.test.targets());
    Json entry =
        quality(std::exp(result.loss / targets),
                result.loss / std::numbers::ln2 / static_cast<double>(std::max<std::int64_t>(1, texts.test_bytes)));
    entry.update(result.detail);
    domains[texts.name] = entry;
    tokens += targets;
    seconds += result.seconds;
  }
  Json mean = Json::object();
  for (const char* role : {"train", "novel", "all"}) mean[role] = mean_of(evaluation, domains, role);
  return {{"model", row.model},
          {"settings", row.settings},
          {"experts_per_token", row.experts_per_token},
          {"domains", domains},
          {"mean", mean},
          {"training", training},
          {"tokens_per_second", three_digits(seconds > 0 ? tokens / seconds : 0)}};
}

}  // namespace btm
