#include "btm/mixture/posterior.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "btm/core/error.h"

namespace btm {

namespace {

// An impossible token counts as this much evidence: with -inf itself, 0 x -inf would be no number.
constexpr double kLeastLogProb = -1e30;

constexpr double kNever = -std::numeric_limits<double>::infinity();

double log_sum_exp(std::span<const double> values) {
  double most = *std::max_element(values.begin(), values.end());
  if (!std::isfinite(most)) return most;
  double sum = 0;
  for (double value : values) sum += std::exp(value - most);
  return most + std::log(sum);
}

// Weights [experts] out of their logarithms but for a constant.
void normalised(std::span<const double> exponents, std::span<double> out) {
  double sum = 0;
  for (std::size_t j = 0; j < exponents.size(); ++j) sum += out[j] = std::exp(exponents[j]);
  for (double& weight : out) weight /= sum;
}

// Calls take(t, log-probabilities of token t [experts]) in order, restarting the posterior at each window.
template <class Take>
void walk(const Scores& scores, Posterior& posterior, Take take) {
  std::vector<float> column(scores.count());
  for (std::int64_t t = 0; t < scores.tokens; ++t) {
    if (t > 0 && t % scores.window == 0) posterior.restart();
    for (std::size_t j = 0; j < column.size(); ++j) column[j] = scores.of(j)[static_cast<std::size_t>(t)];
    take(t, std::span<const float>(column));
  }
}

}  // namespace

void check_prior(std::span<const double> prior, std::size_t experts) {
  if (experts == 0) throw input_error("a mixture needs at least one expert");
  if (prior.size() != experts) throw input_error("{} weights for {} experts", prior.size(), experts);
  double sum = 0;
  for (double weight : prior) {
    if (!(weight >= 0)) throw input_error("the weight {} of an expert is negative or not a number", weight);
    sum += weight;
  }
  if (std::abs(sum - 1) > 1e-6) throw input_error("the experts' weights sum to {}, not to 1", sum);
}

void check_forgetting(double forgetting) {
  if (!(forgetting >= 0 && forgetting <= 1)) {
    throw input_error("forgetting is {}, but must be from 0 (last token only) to 1 (exact Bayes)", forgetting);
  }
}

Posterior::Posterior(const MixtureWeights& weights)
    : settings_(weights),
      evidence_(weights.prior.size()),
      exponents_(weights.prior.size()),
      speaking_(weights.prior.size()),
      order_(weights.prior.size()),
      below_(weights.prior.size()) {
  check_prior(weights.prior, weights.prior.size());
  check_forgetting(weights.forgetting);
  if (!(weights.evidence >= 0 && std::isfinite(weights.evidence))) {
    throw input_error("the power of the evidence is {}, but can't be negative", weights.evidence);
  }
  if (weights.by_token < 0) throw input_error("by_token is {}, but can't be negative", weights.by_token);
  if (!(weights.drop_below >= 0 && weights.drop_below < 1)) {
    throw input_error("drop_below is {}, but must be at least 0 and less than 1", weights.drop_below);
  }
  for (double p : weights.prior) log_prior_.push_back(std::log(p));
  weigh();
}

void Posterior::weigh() {
  for (std::size_t j = 0; j < exponents_.size(); ++j) {
    exponents_[j] = runs(j) ? log_prior_[j] + settings_.evidence * evidence_[j] : kNever;
  }
  // Taken from the largest: whatever the evidence has summed up to, differences keep their digits.
  double most = *std::max_element(exponents_.begin(), exponents_.end());
  for (double& exponent : exponents_) exponent -= most;
  speaking_ = exponents_;
  auto k = static_cast<std::ptrdiff_t>(settings_.by_token);
  if (k == 0 || k >= std::ssize(order_)) return;
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::partial_sort(order_.begin(), order_.begin() + k, order_.end(), [this](std::size_t a, std::size_t b) {
    return std::pair(-exponents_[a], a) < std::pair(-exponents_[b], b);
  });
  std::for_each(order_.begin() + k, order_.end(), [this](std::size_t j) { speaking_[j] = kNever; });
}

bool Posterior::drop() {
  if (settings_.drop_below == 0) return false;
  double normaliser = log_sum_exp(exponents_), least = std::log(settings_.drop_below);
  bool dropped = false;
  for (std::size_t j = 0; j < exponents_.size(); ++j) {
    if (!runs(j)) continue;
    bool below = exponents_[j] - normaliser < least && exponents_[j] < 0;  // the largest one stays whatever it is
    below_[j] = below ? below_[j] + 1 : 0;
    dropped = dropped || !runs(j);
  }
  return dropped;
}

double Posterior::observe(std::span<const float> log_probs) {
  double normaliser = log_sum_exp(speaking_);
  for (std::size_t j = 0; j < exponents_.size(); ++j) {
    if (!runs(j)) continue;
    double log_prob = std::max<double>(log_probs[j], kLeastLogProb);
    speaking_[j] += log_prob;
    evidence_[j] = settings_.forgetting * evidence_[j] + log_prob;
  }
  double joint = log_sum_exp(speaking_);
  weigh();
  if (drop()) weigh();
  return joint - normaliser;
}

void Posterior::weights(std::span<double> out) const {
  normalised(speaking_, out);
}

void Posterior::restart() {
  if (settings_.updating) {
    std::vector<double> posterior(exponents_.size());
    normalised(exponents_, posterior);  // of all, whoever speaks
    for (std::size_t j = 0; j < posterior.size(); ++j) {
      double& prior = settings_.prior[j];
      prior = (1 - kPriorStep) * prior + kPriorStep * posterior[j];
      log_prior_[j] = std::log(prior);
    }
  }
  std::fill(evidence_.begin(), evidence_.end(), 0.0);
  std::fill(below_.begin(), below_.end(), 0);
  weigh();
}

std::vector<double> mix(const Scores& scores, const MixtureWeights& weights, std::int64_t* runs) {
  check_prior(weights.prior, scores.count());
  Posterior posterior(weights);
  std::vector<double> log_probs(static_cast<std::size_t>(scores.tokens));
  if (runs) *runs = 0;
  walk(scores, posterior, [&](std::int64_t t, std::span<const float> column) {
    for (std::size_t j = 0; runs && j < column.size(); ++j) *runs += posterior.runs(j);
    log_probs[static_cast<std::size_t>(t)] = posterior.observe(column);
  });
  return log_probs;
}

double mixture_loss(const Scores& scores, const MixtureWeights& weights) {
  double sum = 0;
  for (double log_prob : mix(scores, weights)) sum -= log_prob;
  return sum;
}

std::vector<double> posterior_course(const Scores& scores, const MixtureWeights& weights) {
  check_prior(weights.prior, scores.count());
  Posterior posterior(weights);
  std::size_t experts = scores.count();
  std::vector<double> course(static_cast<std::size_t>(scores.tokens + 1) * experts);
  walk(scores, posterior, [&](std::int64_t t, std::span<const float> column) {
    posterior.weights(std::span(course).subspan(static_cast<std::size_t>(t) * experts, experts));
    posterior.observe(column);
  });
  posterior.weights(std::span(course).last(experts));
  return course;
}

}  // namespace btm
