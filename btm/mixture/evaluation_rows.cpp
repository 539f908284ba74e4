#include "btm/mixture/evaluation_rows.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "btm/core/hash.h"
#include "btm/core/stopwatch.h"
#include "btm/core/thread_team.h"
#include "btm/mixture/product.h"

namespace btm {

namespace {

using Members = std::vector<const Member*>;

Scores read_scores(const Evaluation& evaluation, const Text& text, const Members& members, double& seconds) {
  Scores scores{{}, text.targets(), evaluation.store->window(), {}};
  for (const Member* member : members) {
    StoredScores stored = evaluation.store->read(*member, text);
    scores.experts.push_back(member->name);
    scores.log_probs.insert(scores.log_probs.end(), stored.log_probs.begin(), stored.log_probs.end());
    seconds += stored.seconds;
  }
  return scores;
}

Members pointers_to(std::span<const Member> experts) {
  Members all;
  for (const Member& expert : experts) all.push_back(&expert);
  return all;
}

// The k experts to run: by the prior of the settings; a uniform one says nothing, so there the cached one chooses.
std::vector<int> choose_experts(const PriorSettings& settings, const Scores& dev, const KnownShares& known, int k) {
  bool fitted = settings.posterior == PriorKind::fitted;
  return largest(fitted ? fitted_prior(dev, known) : cached_prior(dev, settings.forgetting.value_or(1)), k);
}

MixtureWeights weights_of(const Form& form, const Scores& dev, const KnownShares& known) {
  MixtureWeights weights = choose_weights(form.weights, dev, known);
  weights.evidence = form.evidence.value_or(weights.evidence);
  weights.by_token = form.by_token;
  weights.drop_below = form.drop_below;
  return weights;
}

// `known` are the shares of the members' dev scores.
DomainResult mix_domain(const Evaluation& evaluation, const DomainTexts& texts, const Form& form, Members members,
                        KnownShares known) {
  double ignored = 0;
  Scores dev = read_scores(evaluation, texts.dev, members, ignored);
  if (form.top_k > 0) {
    std::vector<int> chosen = choose_experts(form.weights, dev, known, form.top_k);
    Members kept;
    for (int j : chosen) kept.push_back(members[static_cast<std::size_t>(j)]);
    dev = select_experts(dev, chosen);
    members = kept;
    known = nullptr;  // of all members
  }
  MixtureWeights weights = weights_of(form, dev, known);
  DomainResult result;
  Scores test = read_scores(evaluation, texts.test, members, result.seconds);
  const Stopwatch watch;
  for (double log_prob : mix(test, weights, &result.runs)) result.loss -= log_prob;
  double run = static_cast<double>(result.runs) / static_cast<double>(members.size()) /
               static_cast<double>(std::max<std::int64_t>(1, test.tokens));
  result.seconds *= run;  // dropped experts are not run, though their scores are known here
  result.seconds += watch.seconds();
  Json prior = Json::object();
  for (std::size_t j = 0; j < members.size(); ++j) prior[test.experts[j]] = weights.prior[j];
  result.detail = {{"prior", prior}, {"forgetting", weights.forgetting}, {"evidence", weights.evidence}};
  return result;
}

Json settings_of(const Form& form) {
  Json settings = settings_json(form.weights);
  if (form.evidence) settings["evidence"] = *form.evidence;
  if (form.top_k) settings["top_k"] = form.top_k;
  if (form.by_token) settings["by_token"] = form.by_token;
  if (form.drop_below > 0) settings["drop_below"] = form.drop_below;
  return settings;
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
  return read_scores(evaluation, texts.dev, pointers_to(evaluation.experts), seconds);
}

Row mixture_row(const Evaluation& evaluation, std::span<const Member> experts, const std::string& name,
                const Form& form, std::span<const Member> generalists,
                const std::function<std::vector<double>(std::size_t)>& known) {
  Row row{name, settings_of(form), 0, 0, {}};
  row.domains.resize(evaluation.texts.size());
  ThreadTeam team(evaluation.place.threads);
  team.share(row.domains.size(), [&](std::size_t i) {
    Members members = pointers_to(experts);
    if (!generalists.empty()) members.push_back(&generalists[i]);
    const DomainTexts& texts = evaluation.texts[i];
    KnownShares shares;
    if (known) shares = [&] { return known(i); };
    row.domains[i] = mix_domain(evaluation, texts, form, members, shares);
  });
  double runs = 0, tokens = 0;
  for (std::size_t i = 0; i < row.domains.size(); ++i) {
    runs += static_cast<double>(row.domains[i].runs);
    tokens += static_cast<double>(evaluation.texts[i].test.targets());
  }
  row.experts_per_token = three_digits(runs / tokens);
  auto members = static_cast<double>(experts.size() + (generalists.empty() ? 0 : 1));
  row.models_loaded = form.top_k > 0 ? form.top_k : members;
  return row;
}

Row product_row(const Evaluation& evaluation, const std::string& name) {
  Member product{name, {}, {}};
  std::string identity = name;
  for (const Member& expert : evaluation.experts) identity += "\n" + expert.identity;
  product.identity = sha256_hex(identity);
  const auto experts = static_cast<double>(evaluation.experts.size());
  Row row{name, Json::object(), experts, experts, {}};
  for (const DomainTexts& texts : evaluation.texts) {
    if (!evaluation.store->has(product, texts.test)) {
      const Stopwatch watch;
      auto log_probs = product_log_probs(evaluation.experts, texts.test, evaluation.store->window(), evaluation.place);
      double seconds = watch.seconds();
      evaluation.store->keep(product, texts.test, {std::move(log_probs), seconds});
    }
    StoredScores stored = evaluation.store->read(product, texts.test);
    row.domains.push_back(
        {-std::accumulate(stored.log_probs.begin(), stored.log_probs.end(), 0.0), stored.seconds, Json::object()});
  }
  return row;
}

Row member_row(const Evaluation& evaluation, const std::string& name,
               const std::function<const Member&(std::size_t)>& choose) {
  Row row{name, Json::object(), 1, 1, {}};
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
  const auto parameters = static_cast<double>(evaluation.parameters);
  Json mean = Json::object();
  for (const char* role : {"train", "novel", "all"}) mean[role] = mean_of(evaluation, domains, role);
  return {{"model", row.model},
          {"settings", row.settings},
          {"experts_per_token", row.experts_per_token},
          {"active_parameters", std::llround(row.experts_per_token * parameters)},
          {"memory_bytes", std::llround(row.models_loaded * parameters * sizeof(float))},
          {"domains", domains},
          {"mean", mean},
          {"training", training},
          {"tokens_per_second", three_digits(seconds > 0 ? tokens / seconds : 0)}};
}

}  // namespace btm
