#include "btm/mixture/average_loss.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "btm/core/error.h"

namespace btm {

namespace {

constexpr std::size_t kTokensPerCall = 2048;  // enough rows for the GEMMs; the activations of more leave the caches
constexpr std::size_t kStripe = 2048;         // floats summed at once: they stay in the first-level cache

std::size_t windows_per_call(std::size_t window) {
  return std::max<std::size_t>(1, kTokensPerCall / window);
}

}  // namespace

AverageLoss::AverageLoss(std::span<const Member> members, const Text& sample, int window, int threads,
                         Transformer::Use use)
    : sample_(sample),
      window_(static_cast<std::size_t>(window)),
      windows_(static_cast<std::size_t>(sample.targets() / window)),
      team_(std::clamp(threads, 1, std::max(1, static_cast<int>(windows_)))),
      losses_(static_cast<std::size_t>(team_.size())) {
  if (windows_ == 0) {
    throw input_error("{}: {} tokens are less than one window of {}", sample.name, sample.targets(), window);
  }
  for (const Member& member : members) {
    models_.push_back(load_member(member));
    if (models_.back().parameters.size() != models_.front().parameters.size()) {
      throw input_error("{} has {} parameters, {} has {}: unequal shapes can't be averaged", member.name,
                        models_.back().parameters.size(), members.front().name, models_.front().parameters.size());
    }
  }
  const ModelConfig& config = models_.front().config;
  const auto size = models_.front().parameters.size();
  parameters_ = Buffer(size);
  const int per_call = static_cast<int>(windows_per_call(window_));
  for (int i = 0; i < team_.size(); ++i) {
    replicas_.emplace_back(config, per_call, window, use);
    if (use == Transformer::Use::training) gradients_.emplace_back(size);
  }
}

std::size_t AverageLoss::first_window(int thread) const {
  return windows_ * static_cast<std::size_t>(thread) / static_cast<std::size_t>(team_.size());
}

void AverageLoss::average(std::span<const double> weights) {
  const std::size_t size = parameters_.size(), stripes = (size + kStripe - 1) / kStripe;
  team_.run([&](int thread) {
    std::vector<double> sum(kStripe);
    for (auto s = static_cast<std::size_t>(thread); s < stripes; s += static_cast<std::size_t>(team_.size())) {
      const std::size_t begin = s * kStripe, count = std::min(kStripe, size - begin);
      std::fill_n(sum.begin(), count, 0.0);
      for (std::size_t j = 0; j < models_.size(); ++j) {
        if (weights[j] == 0) continue;
        const float* own = models_[j].parameters.data() + begin;
        for (std::size_t i = 0; i < count; ++i) sum[i] += weights[j] * own[i];
      }
      std::copy_n(sum.begin(), count, parameters_.data() + begin);
    }
  });
}

double AverageLoss::operator()(std::span<const double> weights, std::span<double> gradient) {
  if (!gradient.empty() && gradients_.empty()) throw failure("AverageLoss: made for scoring, asked for gradients");
  average(weights);
  const float scale = 1.0f / static_cast<float>(windows_ * window_);
  const std::size_t per_call = windows_per_call(window_);
  std::span<const TokenId> tokens(sample_.tokens);
  team_.run([&](int thread) {
    auto t = static_cast<std::size_t>(thread);
    losses_[t] = 0;
    if (!gradient.empty()) std::memset(gradients_[t].data(), 0, gradients_[t].size() * sizeof(float));
    std::vector<float> log_probs(per_call * window_);
    for (std::size_t w = first_window(thread), end = first_window(thread + 1); w < end; w += per_call) {
      const std::size_t begin = w * window_, size = std::min(per_call, end - w) * window_;
      auto inputs = tokens.subspan(begin, size), targets = tokens.subspan(begin + 1, size);
      if (!gradient.empty()) {
        losses_[t] += replicas_[t].train(parameters_.data(), inputs, targets, scale, gradients_[t].data());
      } else {
        auto own = std::span(log_probs).first(size);
        replicas_[t].score(parameters_.data(), inputs, targets, own);
        losses_[t] -= std::accumulate(own.begin(), own.end(), 0.0);
      }
    }
  });
  if (!gradient.empty()) {
    team_.run([&](int thread) {
      auto step = static_cast<std::size_t>(team_.size());
      for (auto j = static_cast<std::size_t>(thread); j < models_.size(); j += step) {
        gradient[j] = 0;
        for (const Buffer& part : gradients_) {
          const float* own = models_[j].parameters.data();
          for (std::size_t i = 0; i < part.size(); ++i) gradient[j] += double(part.data()[i]) * own[i];
        }
      }
    });
  }
  return std::accumulate(losses_.begin(), losses_.end(), 0.0) / static_cast<double>(windows_ * window_);
}

}  // namespace btm
