#include "btm/mixture/prior.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "btm/core/interrupt.h"

namespace btm {

namespace {

constexpr int kEmSteps = 2000;
constexpr double kEmTolerance = 1e-9;  // nats per token gained in one step: members that are much alike part slowly

// What fitting tries; the prior alone (evidence 0) besides.
constexpr double kForgettingGrid[] = {0, 0.5, 0.9, 1};
constexpr double kEvidenceGrid[] = {0.1, 0.2, 0.35, 0.5, 0.7, 1};

// p_j(x_t) divided by the largest of the experts', [tokens, experts].
std::vector<double> relative_likelihoods(const Scores& scores) {
  std::size_t experts = scores.count();
  std::vector<double> likelihoods(experts * static_cast<std::size_t>(scores.tokens));
  for (std::size_t t = 0; t < static_cast<std::size_t>(scores.tokens); ++t) {
    float most = -std::numeric_limits<float>::max();
    for (std::size_t j = 0; j < experts; ++j) most = std::max(most, scores.of(j)[t]);
    for (std::size_t j = 0; j < experts; ++j) {
      likelihoods[t * experts + j] = std::exp(static_cast<double>(scores.of(j)[t]) - most);
    }
  }
  return likelihoods;
}

// One EM step on the weights; gives the mean log-likelihood before it.
double em_step(const std::vector<double>& likelihoods, std::vector<double>& weights) {
  std::size_t experts = weights.size(), tokens = likelihoods.size() / experts;
  std::vector<double> responsibility(experts, 0.0);
  double log_likelihood = 0;
  for (std::size_t t = 0; t < tokens; ++t) {
    const double* row = &likelihoods[t * experts];
    double p = std::inner_product(row, row + experts, weights.begin(), 0.0);
    if (p <= 0) continue;  // impossible for all that have weight: says nothing about them
    log_likelihood += std::log(p);
    for (std::size_t j = 0; j < experts; ++j) responsibility[j] += row[j] / p;
  }
  double sum = 0;
  for (std::size_t j = 0; j < experts; ++j) sum += weights[j] * responsibility[j];
  if (sum > 0) {
    for (std::size_t j = 0; j < experts; ++j) weights[j] *= responsibility[j] / sum;
  }
  return log_likelihood / static_cast<double>(tokens);
}

MixtureWeights fit(const Scores& sample, std::optional<double> forgetting, const KnownShares& known) {
  MixtureWeights best{fitted_prior(sample, known), forgetting.value_or(0), 0, false};
  if (sample.tokens == 0 || sample.count() == 1) return best;
  double best_loss = mixture_loss(sample, best);
  auto attempt = [&](double g) {
    for (double evidence : kEvidenceGrid) {
      throw_if_interrupted();
      MixtureWeights weights{best.prior, g, evidence, false};
      if (double loss = mixture_loss(sample, weights); loss < best_loss) {
        best_loss = loss;
        best = weights;
      }
    }
  };
  if (forgetting) {
    attempt(*forgetting);
  } else {
    for (double g : kForgettingGrid) attempt(g);
  }
  return best;
}

// After the window that begins at token `start`.
std::vector<double> posterior_after(const Scores& sample, std::int64_t start, const MixtureWeights& weights) {
  Posterior state(weights);
  std::vector<float> column(sample.count());
  for (std::int64_t t = start; t < std::min(sample.tokens, start + sample.window); ++t) {
    for (std::size_t j = 0; j < column.size(); ++j) column[j] = sample.of(j)[static_cast<std::size_t>(t)];
    state.observe(column);
  }
  std::vector<double> posterior(sample.count());
  state.weights(posterior);
  return posterior;
}

}  // namespace

std::vector<double> uniform_prior(std::size_t experts) {
  return std::vector<double>(experts, 1.0 / static_cast<double>(experts));
}

std::vector<double> cached_prior(const Scores& sample, double forgetting) {
  std::vector<double> prior = uniform_prior(sample.count());
  for (std::int64_t start = 0; start < sample.tokens; start += sample.window) {
    const std::vector<double> posterior = posterior_after(sample, start, {prior, forgetting, 1, false});
    for (std::size_t j = 0; j < prior.size(); ++j) prior[j] = (1 - kPriorStep) * prior[j] + kPriorStep * posterior[j];
  }
  return prior;
}

std::vector<double> mean_posterior(const Scores& sample) {
  const MixtureWeights weights{uniform_prior(sample.count()), kExactBayes, 1, false};
  if (sample.tokens == 0) return weights.prior;
  std::vector<double> mean(sample.count());
  int windows = 0;
  for (std::int64_t start = 0; start < sample.tokens; start += sample.window, ++windows) {
    const std::vector<double> posterior = posterior_after(sample, start, weights);
    for (std::size_t j = 0; j < mean.size(); ++j) mean[j] += posterior[j];
  }
  for (double& share : mean) share /= windows;
  return mean;
}

std::vector<double> mixture_shares(const Scores& sample) {
  std::vector<double> weights = uniform_prior(sample.count());
  if (sample.tokens == 0) return weights;
  std::vector<double> likelihoods = relative_likelihoods(sample);
  double before = -std::numeric_limits<double>::infinity();
  for (int step = 0; step < kEmSteps; ++step) {
    throw_if_interrupted();
    double now = em_step(likelihoods, weights);
    if (now - before < kEmTolerance) break;
    before = now;
  }
  return weights;
}

std::vector<double> fitted_prior(const Scores& sample, const KnownShares& known) {
  std::vector<double> weights = known ? known() : mixture_shares(sample);
  for (double& weight : weights)
    weight = (1 - kPriorFloor) * weight + kPriorFloor / static_cast<double>(weights.size());
  return weights;
}

MixtureWeights choose_weights(const PriorSettings& settings, const Scores& sample, const KnownShares& known) {
  double forgetting = settings.forgetting.value_or(1);
  switch (settings.posterior) {
    case PriorKind::fitted:
      return fit(sample, settings.forgetting, known);
    case PriorKind::cached:
      return {cached_prior(sample, forgetting), forgetting, 1, false};
    case PriorKind::updating:
      return {cached_prior(sample, forgetting), forgetting, 1, true};
    case PriorKind::uniform:
      break;
  }
  return {uniform_prior(sample.count()), forgetting, 1, false};
}

void keep_largest(std::vector<double>& weights, int k) {
  if (k <= 0) return;
  std::vector<double> kept(weights.size(), 0.0);
  for (int j : largest(weights, k)) kept[static_cast<std::size_t>(j)] = weights[static_cast<std::size_t>(j)];
  weights = std::move(kept);
}

void drop_small(std::vector<double>& weights) {
  const double least = kLeastShare * std::ranges::max(weights);
  std::ranges::replace_if(
      weights, [least](double weight) { return weight < least; }, 0.0);
}

std::vector<int> largest(const std::vector<double>& prior, int k) {
  std::vector<int> order(prior.size());
  std::iota(order.begin(), order.end(), 0);
  auto weight = [&prior](int j) { return prior[static_cast<std::size_t>(j)]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return weight(a) > weight(b); });
  order.resize(std::min(order.size(), static_cast<std::size_t>(k)));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace btm
