#include "btm/mixture/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "btm/core/error.h"

namespace btm {

namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

void penalise(std::vector<double>& logits, std::span<const TokenId> history, double penalty) {
  std::vector<bool> seen(logits.size());
  for (TokenId token : history) {
    auto i = static_cast<std::size_t>(token);
    if (i >= seen.size() || seen[i]) continue;
    seen[i] = true;
    logits[i] = logits[i] < 0 ? logits[i] * penalty : logits[i] / penalty;
  }
}

void keep_top_k(std::vector<double>& logits, int k) {
  if (static_cast<std::size_t>(k) >= logits.size()) return;
  std::vector<double> order = logits;
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
  double least = order[static_cast<std::size_t>(k - 1)];
  for (double& logit : logits) {
    if (logit < least) logit = kNever;
  }
}

std::vector<double> softmax(const std::vector<double>& logits) {
  double most = *std::max_element(logits.begin(), logits.end()), sum = 0;
  std::vector<double> p(logits.size());
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] = std::exp(logits[i] - most);
  for (double& x : p) x /= sum;
  return p;
}

// The smallest set of likeliest tokens whose probability reaches top_p.
void keep_top_p(std::vector<double>& logits, double top_p) {
  std::vector<double> p = softmax(logits);
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&p](std::size_t a, std::size_t b) { return p[a] > p[b]; });
  double before = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    if (rank > 0 && before >= top_p) logits[order[rank]] = kNever;
    before += p[order[rank]];
  }
}

void keep_min_p(std::vector<double>& logits, double min_p) {
  double least = *std::max_element(logits.begin(), logits.end()) + std::log(min_p);
  for (double& logit : logits) {
    if (logit < least) logit = kNever;
  }
}

}  // namespace

void check(const SamplerSettings& s) {
  auto refuse = [](const char* name, double value, const char* range) {
    throw input_error("{} is {}, but must be {}", name, value, range);
  };
  if (!(s.temperature >= 0 && std::isfinite(s.temperature))) refuse("temperature", s.temperature, "0 or more");
  if (s.top_k < 0) refuse("top_k", s.top_k, "0 or more");
  if (!(s.top_p > 0 && s.top_p <= 1)) refuse("top_p", s.top_p, "over 0 and at most 1");
  if (!(s.min_p >= 0 && s.min_p <= 1)) refuse("min_p", s.min_p, "from 0 to 1");
  if (!(s.repetition_penalty > 0 && std::isfinite(s.repetition_penalty))) {
    refuse("repetition_penalty", s.repetition_penalty, "over 0");
  }
}

std::vector<double> sampling_probabilities(std::span<const float> logits, std::span<const TokenId> history,
                                           const SamplerSettings& settings) {
  std::vector<double> scores(logits.begin(), logits.end());
  for (double score : scores) {
    if (std::isnan(score)) throw input_error("the model gives logits that are not numbers: its weights are damaged");
  }
  if (settings.repetition_penalty != 1) penalise(scores, history, settings.repetition_penalty);
  if (settings.temperature == 0) {
    std::vector<double> p(scores.size(), 0.0);
    p[static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin())] = 1;
    return p;
  }
  for (double& score : scores) score /= settings.temperature;
  if (settings.top_k > 0) keep_top_k(scores, settings.top_k);
  if (settings.top_p < 1) keep_top_p(scores, settings.top_p);
  if (settings.min_p > 0) keep_min_p(scores, settings.min_p);
  return softmax(scores);
}

Sampler::Sampler(const SamplerSettings& settings)
    : settings_(settings), random_(static_cast<std::uint64_t>(settings.random_seed), "generate") {
  check(settings);
}

TokenId Sampler::next(std::span<const float> logits, std::span<const TokenId> history) {
  std::vector<double> p = sampling_probabilities(logits, history, settings_);
  double target = random_.uniform();
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] <= 0) continue;
    chosen = i;
    if ((target -= p[i]) < 0) break;
  }
  return static_cast<TokenId>(chosen);
}

}  // namespace btm
