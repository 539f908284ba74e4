#include "btm/train/text_loss.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/thread_team.h"
#include "btm/train/learner.h"
#include "btm/train/passes.h"
#include "btm/train/score.h"

namespace btm {
namespace {

class CpuTextLoss : public TextLoss {
 public:
  CpuTextLoss(const ModelConfig& config, int window, std::span<const TokenId> tokens, Transformer::Use use,
              const ScoringPlace& place)
      : tokens_(tokens),
        window_(static_cast<std::size_t>(window)),
        windows_(scored_windows(tokens.size(), window)),
        per_call_(static_cast<std::size_t>(sequences_per_call(window))),
        team_(std::clamp(place.threads, 1, std::max(1, static_cast<int>(windows_)))),
        scorer_(config, window, team_, operands_of(place.precision)) {
    if (use != Transformer::Use::training) return;
    for (int i = 0; i < team_.size(); ++i) {
      replicas_.emplace_back(config, static_cast<int>(per_call_), window, use, operands_of(place.precision));
      gradients_.emplace_back(parameter_count(config));
    }
  }

  double of(std::span<const float> parameters, std::span<float> gradient) override {
    if (!gradient.empty() && replicas_.empty()) throw failure("TextLoss: made for scoring, asked for gradients");
    const double loss = gradient.empty() ? score(parameters) : train(parameters, gradient);
    return loss / static_cast<double>(windows_ * window_);
  }

 private:
  double score(std::span<const float> parameters) {
    std::vector<float> log_probs(windows_ * window_);
    scorer_.score(parameters.data(), tokens_, log_probs);
    return -std::accumulate(log_probs.begin(), log_probs.end(), 0.0);
  }

  double train(std::span<const float> parameters, std::span<float> gradient) {
    std::vector<double> losses(replicas_.size());
    team_.run([&](int thread) { losses[static_cast<std::size_t>(thread)] = train_part(thread, parameters); });
    add_up(gradient);
    return std::accumulate(losses.begin(), losses.end(), 0.0);
  }

  // A thread's windows, a few per call.
  double train_part(int thread, std::span<const float> parameters) {
    const auto t = static_cast<std::size_t>(thread);
    const auto scale = static_cast<float>(1.0 / static_cast<double>(windows_ * window_));
    const std::size_t end = part_begin(windows_, thread + 1, team_.size());
    std::ranges::fill(gradients_[t].span(), 0.0f);
    double loss = 0;
    for (std::size_t w = part_begin(windows_, thread, team_.size()); w < end; w += per_call_) {
      const std::size_t begin = w * window_, size = std::min(per_call_, end - w) * window_;
      loss += replicas_[t].train(parameters.data(), tokens_.subspan(begin, size), tokens_.subspan(begin + 1, size),
                                 scale, gradients_[t].data());
    }
    return loss;
  }

  // The threads' gradients, in their order.
  void add_up(std::span<float> gradient) {
    team_.run([&](int thread) {
      const std::size_t begin = part_begin(gradient.size(), thread, team_.size());
      const std::size_t end = part_begin(gradient.size(), thread + 1, team_.size());
      std::copy(gradients_[0].data() + begin, gradients_[0].data() + end, gradient.data() + begin);
      for (std::size_t t = 1; t < gradients_.size(); ++t) {
        for (std::size_t i = begin; i < end; ++i) gradient[i] += gradients_[t].data()[i];
      }
    });
  }

  std::span<const TokenId> tokens_;
  std::size_t window_, windows_, per_call_;
  ThreadTeam team_;
  Scorer scorer_;
  std::vector<Transformer> replicas_;  // one a thread; none for scoring
  std::vector<Buffer> gradients_;      // of them
};

}  // namespace

std::unique_ptr<TextLoss> make_text_loss(const ModelConfig& config, int window, std::span<const TokenId> tokens,
                                         Transformer::Use use, const ScoringPlace& place) {
  const ScoringPlace there = decided(place);
  if (there.device == Device::cuda) return make_cuda_text_loss(config, window, tokens, use);
  return std::make_unique<CpuTextLoss>(config, window, tokens, use, there);
}

}  // namespace btm
