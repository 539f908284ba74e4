#include "btm/mixture/posterior.h"

#include <algorithm>
#include <cmath>

#include "btm/core/error.h"

namespace btm {

namespace {

// An impossible token counts as this much evidence: with -inf itself, 0 x -inf would be no number.
constexpr double kLeastLogProb = -1e30;

double log_sum_exp(std::span<const double> values) {
  double most = *std::max_element(values.begin(), values.end());
  if (!std::isfinite(most)) return most;
  double sum = 0;
  for (double value : values) sum += std::exp(value - most);
  return most + std::log(sum);
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

Posterior::Posterior(const MixtureWeights& weights) : settings_(weights) {
  check_prior(weights.prior, weights.prior.size());
  if (!(weights.forgetting >= 0 && weights.forgetting <= 1)) {
    throw input_error("the forgetting factor is {}, but must be from 0 (last token only) to 1 (exact Bayes)",
                      weights.forgetting);
  }
  if (!(weights.evidence >= 0 && std::isfinite(weights.evidence))) {
    throw input_error("the power of the evidence is {}, but can't be negative", weights.evidence);
  }
  for (double p : weights.prior) log_prior_.push_back(std::log(p));
  evidence_.assign(log_prior_.size(), 0);
  exponents_ = log_prior_;
}

void Posterior::update_exponents() {
  for (std::size_t j = 0; j < exponents_.size(); ++j) exponents_[j] = log_prior_[j] + settings_.evidence * evidence_[j];
}

double Posterior::observe(std::span<const float> log_probs) {
  // Taken from the largest first: whatever the evidence has summed up to, differences keep their digits.
  double most = *std::max_element(exponents_.begin(), exponents_.end());
  for (double& exponent : exponents_) exponent -= most;
  double normaliser = log_sum_exp(exponents_);
  for (std::size_t j = 0; j < exponents_.size(); ++j) {
    double log_prob = std::max<double>(log_probs[j], kLeastLogProb);
    exponents_[j] += log_prob;
    evidence_[j] = settings_.forgetting * evidence_[j] + log_prob;
  }
  double joint = log_sum_exp(exponents_);
  update_exponents();
  return joint - normaliser;
}

void Posterior::weights(std::span<double> out) const {
  double most = *std::max_element(exponents_.begin(), exponents_.end()), sum = 0;
  for (std::size_t j = 0; j < exponents_.size(); ++j) sum += out[j] = std::exp(exponents_[j] - most);
  for (double& weight : out) weight /= sum;
}

void Posterior::restart() {
  if (settings_.updating) {
    std::vector<double> posterior(exponents_.size());
    weights(posterior);
    for (std::size_t j = 0; j < posterior.size(); ++j) {
      double& prior = settings_.prior[j];
      prior = (1 - kPriorStep) * prior + kPriorStep * posterior[j];
      log_prior_[j] = std::log(prior);
    }
  }
  std::fill(evidence_.begin(), evidence_.end(), 0.0);
  update_exponents();
}

std::vector<double> mix(const Scores& scores, const MixtureWeights& weights) {
  check_prior(weights.prior, scores.count());
  Posterior posterior(weights);
  std::vector<double> log_probs(static_cast<std::size_t>(scores.tokens));
  walk(scores, posterior, [&](std::int64_t t, std::span<const float> column) {
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
