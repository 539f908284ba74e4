#include "btm/mixture/average_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "btm/core/error.h"
#include "btm/core/interrupt.h"
#include "btm/mixture/average_loss.h"

namespace btm {

namespace {

constexpr double kLeastWeight = 1e-4;  // none is zero where fitting starts: exponentiated gradients can't leave it
constexpr double kFirstStep = 1;       // in units of 1 / (largest derivative)
constexpr double kLongerStep = 2, kShorterStep = 0.25;
constexpr double kLeastGain = 1e-5;  // nats per token: less is not worth another model
constexpr double kGoldenRatio = 0.6180339887498949;

std::vector<double> one_of(std::size_t count, std::size_t chosen) {
  std::vector<double> weights(count, 0.0);
  weights[chosen] = 1;
  return weights;
}

void normalise(std::vector<double>& weights) {
  double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
}

// Exponentiated gradient descent (Kivinen & Warmuth 1997) on the simplex of weights, which starts at the best of
// `starts` and keeps a step only if the loss falls.
AverageWeights descend(AverageLoss& loss, std::vector<std::vector<double>> starts, int budget) {
  AverageWeights best;
  std::vector<double> gradient(loss.members()), tried(loss.members());
  for (std::vector<double>& start : starts) {
    if (best.evaluations == budget) break;
    for (double& weight : start) weight = std::max(weight, kLeastWeight);
    normalise(start);
    double found = loss(start, tried);
    ++best.evaluations;
    if (best.experts.empty() || found < best.loss) {
      best.experts = start;
      best.loss = found;
      gradient = tried;
    }
  }
  double step = kFirstStep;
  while (best.evaluations < budget) {
    throw_if_interrupted();
    double mean = std::inner_product(gradient.begin(), gradient.end(), best.experts.begin(), 0.0), steepest = 0;
    for (double g : gradient) steepest = std::max(steepest, std::abs(g - mean));
    if (steepest == 0) break;
    std::vector<double> weights = best.experts;
    for (std::size_t j = 0; j < weights.size(); ++j) weights[j] *= std::exp(-step * (gradient[j] - mean) / steepest);
    normalise(weights);
    double found = loss(weights, tried);
    ++best.evaluations;
    if (!(found < best.loss)) {  // nor NaN
      step *= kShorterStep;
      if (step < 1e-3) break;
      continue;
    }
    bool enough = best.loss - found < kLeastGain;
    best.experts = weights;
    best.loss = found;
    gradient = tried;
    step *= kLongerStep;
    if (enough) break;
  }
  return best;
}

AverageWeights greedy_soup(AverageLoss& loss, const Scores& dev) {
  std::vector<std::size_t> order(dev.count());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> own;
  for (std::size_t j = 0; j < dev.count(); ++j) own.push_back(mean_loss(dev.of(j)));
  std::stable_sort(order.begin(), order.end(), [&own](std::size_t a, std::size_t b) { return own[a] < own[b]; });
  AverageWeights best{one_of(dev.count(), order.front()), 0, 0, 1};
  best.loss = loss(best.experts);
  std::vector<std::size_t> chosen{order.front()};
  for (std::size_t i = 1; i < order.size(); ++i) {
    throw_if_interrupted();
    std::vector<double> weights(dev.count(), 0.0);
    chosen.push_back(order[i]);
    for (std::size_t j : chosen) weights[j] = 1.0 / static_cast<double>(chosen.size());
    double found = loss(weights);
    ++best.evaluations;
    if (found < best.loss) {
      best.experts = weights;
      best.loss = found;
    } else {
      chosen.pop_back();
    }
  }
  return best;
}

// The share of the seed in [0, 1] by golden section; the ends are looked at, too. The last member is the seed.
AverageWeights interpolate(AverageLoss& loss, const std::vector<double>& average, int budget) {
  AverageWeights best;
  auto attempt = [&](double share) {
    std::vector<double> weights = average;
    for (double& weight : weights) weight *= 1 - share;
    weights.push_back(share);
    double found = loss(weights);
    if (best.evaluations++ == 0 || found < best.loss) {
      best.loss = found;
      best.seed = share;
      best.experts.assign(weights.begin(), weights.end() - 1);
    }
    return found;
  };
  attempt(0);
  if (budget > 1) attempt(1);
  double low = 0, high = 1, a = high - kGoldenRatio * (high - low), b = low + kGoldenRatio * (high - low);
  if (budget < 4) return best;
  double at_a = attempt(a), at_b = attempt(b);
  constexpr double kNearEnough = 0.01;
  while (best.evaluations < budget && high - low > kNearEnough) {
    throw_if_interrupted();
    if (at_a < at_b) {
      high = b, b = a, at_b = at_a;
      at_a = attempt(a = high - kGoldenRatio * (high - low));
    } else {
      low = a, a = b, at_a = at_b;
      at_b = attempt(b = low + kGoldenRatio * (high - low));
    }
  }
  return best;
}

}  // namespace

AverageWeights average_weights(AverageKind kind, std::span<const Member> experts, const std::optional<Member>& seed,
                               const Text& sample, const Scores& dev, const AverageFitSettings& settings,
                               const KnownShares& known) {
  if (settings.budget < 1) throw input_error("the budget is {} models, but must be at least 1", settings.budget);
  const std::size_t count = experts.size();
  auto shares = [&] { return known ? known() : mixture_shares(dev); };
  switch (kind) {
    case AverageKind::uniform:
      return {uniform_prior(count)};
    case AverageKind::argmax:
      return {one_of(count, static_cast<std::size_t>(largest(cached_prior(dev, kExactBayes), 1).front()))};
    case AverageKind::posterior:
      return {cached_prior(dev, kExactBayes)};
    case AverageKind::em:
      return {shares()};
    default:
      break;
  }
  if (kind == AverageKind::interpolated && !seed) throw input_error("the forest has no seed to interpolate with");
  if (sample.targets() < dev.window) return {shares()};  // nothing to run a model on
  std::vector<Member> members(experts.begin(), experts.end());
  if (kind == AverageKind::interpolated) members.push_back(*seed);
  using Use = Transformer::Use;
  AverageLoss loss(members, sample, dev.window, settings.place,
                   kind == AverageKind::fitted ? Use::training : Use::scoring);
  if (kind == AverageKind::greedy) return greedy_soup(loss, dev);
  if (kind == AverageKind::interpolated) return interpolate(loss, shares(), settings.budget);
  return descend(loss, {shares(), cached_prior(dev, kExactBayes), uniform_prior(count)}, settings.budget);
}

Member weighted_average(const std::string& name, std::span<const Member> experts, const std::optional<Member>& seed,
                        const AverageWeights& weights) {
  std::vector<Member> members(experts.begin(), experts.end());
  std::vector<double> all = weights.experts;
  if (weights.seed > 0) {
    members.push_back(*seed);
    all.push_back(weights.seed);
  }
  drop_small(all);
  return average_member(name, members, all);
}

}  // namespace btm
