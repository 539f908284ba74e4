#include "btm/mixture/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "btm/core/error.h"
#include "btm/model/kernels/loss.h"

namespace btm {

namespace {

// In double, and cut to what a float holds: no penalty makes a logit infinite.
void penalise(std::vector<float>& logits, std::span<const TokenId> history, double penalty) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  std::vector<bool> seen(logits.size());
  for (TokenId token : history) {
    auto i = static_cast<std::size_t>(token);
    if (i >= seen.size() || seen[i]) continue;
    seen[i] = true;
    const double logit = logits[i];
    logits[i] = static_cast<float>(std::clamp(logit < 0 ? logit * penalty : logit / penalty, -kLargest, kLargest));
  }
}

// The filters below take probabilities away; what is left need not sum to 1.

// By the scores: a high temperature makes equal probabilities of unequal ones.
void keep_top_k(std::vector<float>& p, const std::vector<float>& scores, int k) {
  if (static_cast<std::size_t>(k) >= p.size()) return;
  std::vector<float> order = scores;
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
  const float least = order[static_cast<std::size_t>(k - 1)];
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = scores[i] < least ? 0 : p[i];
}

double sum_of(const std::vector<float>& p) {
  return std::accumulate(p.begin(), p.end(), 0.0);
}

// The smallest set of likeliest tokens whose share of the probability reaches top_p; of equals the first.
void keep_top_p(std::vector<float>& p, double top_p) {
  const double enough = top_p * sum_of(p);
  std::vector<std::size_t> heap(p.size());
  std::iota(heap.begin(), heap.end(), std::size_t{0});
  auto later = [&p](std::size_t a, std::size_t b) { return p[a] != p[b] ? p[a] < p[b] : a > b; };
  std::make_heap(heap.begin(), heap.end(), later);
  std::vector<float> kept(p.size());
  for (double sum = 0; sum < enough && !heap.empty();) {
    std::pop_heap(heap.begin(), heap.end(), later);
    sum += kept[heap.back()] = p[heap.back()];
    heap.pop_back();
  }
  p = std::move(kept);
}

void keep_min_p(std::vector<float>& p, double min_p) {
  const auto least = static_cast<float>(min_p * *std::max_element(p.begin(), p.end()));
  for (float& x : p) x = x < least ? 0 : x;
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

std::vector<float> sampling_probabilities(std::span<const float> logits, std::span<const TokenId> history,
                                          const SamplerSettings& settings) {
  std::vector<float> scores(logits.begin(), logits.end());
  if (std::ranges::any_of(scores, [](float score) { return std::isnan(score); })) {
    throw input_error("the model gives logits that are not numbers: its weights are damaged");
  }
  if (settings.repetition_penalty != 1) penalise(scores, history, settings.repetition_penalty);
  std::vector<float> p(scores.size());
  if (settings.temperature == 0) {
    p[static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin())] = 1;
    return p;
  }
  softmax(static_cast<int>(p.size()), scores.data(), static_cast<float>(std::min(1 / settings.temperature, 1e30)),
          p.data());
  if (settings.top_k > 0) keep_top_k(p, scores, settings.top_k);
  if (settings.top_p < 1) keep_top_p(p, settings.top_p);
  if (settings.min_p > 0) keep_min_p(p, settings.min_p);
  const auto factor = static_cast<float>(1 / sum_of(p));
  for (float& x : p) x *= factor;
  return p;
}

Sampler::Sampler(const SamplerSettings& settings)
    : settings_(settings), random_(static_cast<std::uint64_t>(settings.random_seed), "generate") {
  check(settings);
}

TokenId Sampler::next(std::span<const float> logits, std::span<const TokenId> history) {
  std::vector<float> p = sampling_probabilities(logits, history, settings_);
  double target = random_.uniform();
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] <= 0) continue;
    chosen = i;
    if ((target -= static_cast<double>(p[i])) < 0) break;
  }
  return static_cast<TokenId>(chosen);
}

}  // namespace btm
