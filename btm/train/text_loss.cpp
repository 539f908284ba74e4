#include "btm/train/text_loss.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/share.h"
#include "btm/core/thread_team.h"
#include "btm/train/adamw_kernels.h"
#include "btm/train/replicas.h"
#include "btm/train/score.h"

namespace btm {
namespace {

class CpuTextLoss : public TextLoss {
 public:
  CpuTextLoss(const ModelConfig& config, int window, std::span<const TokenId> tokens, Transformer::Use use,
              const ScoringPlace& place)
      : tokens_(tokens.first(scored_windows(tokens.size(), window) * static_cast<std::size_t>(window) + 1)),
        team_(std::clamp(place.threads, 1, std::max(1, static_cast<int>(scored_windows(tokens_.size(), window))))),
        scorer_(config, window, team_, operands_of(place.precision)) {
    if (use != Transformer::Use::training) return;
    const std::size_t windows = scored_windows(tokens_.size(), window);
    replicas_.emplace(Replicas::Shape{config, nullptr, windows, window, use, operands_of(place.precision)}, team_);
  }

  double of(std::span<const float> parameters, std::span<float> gradient) override {
    if (!gradient.empty() && !replicas_) throw failure("TextLoss: made for scoring, asked for gradients");
    const double loss = gradient.empty() ? score(parameters) : train(parameters, gradient);
    return loss / static_cast<double>(targets());
  }

 private:
  std::size_t targets() const { return tokens_.size() - 1; }

  double score(std::span<const float> parameters) {
    std::vector<float> log_probs(targets());
    scorer_.score(parameters.data(), tokens_, log_probs);
    return -std::accumulate(log_probs.begin(), log_probs.end(), 0.0);
  }

  double train(std::span<const float> parameters, std::span<float> gradient) {
    const Replicas::Batch batch{
        tokens_.first(targets()), tokens_.subspan(1), {}, static_cast<float>(1.0 / static_cast<double>(targets()))};
    std::vector<double> losses(static_cast<std::size_t>(team_.size()));
    team_.run([&](int thread) {
      losses[static_cast<std::size_t>(thread)] = replicas_->train(thread, parameters.data(), batch);
    });
    move_sum_to(gradient);
    return std::accumulate(losses.begin(), losses.end(), 0.0);
  }

  // Of the replicas' gradients, in their order; these are zero then.
  void move_sum_to(std::span<float> gradient) {
    team_.run([&](int thread) {
      const Share share{thread, team_.size()};
      const std::size_t begin = share.begin(gradient.size()), size = share.size(gradient.size());
      reduce_gradients(replicas_->gradients(), begin, size);
      float* const sum = replicas_->gradients().front() + begin;
      std::copy_n(sum, size, gradient.data() + begin);
      std::fill_n(sum, size, 0.0f);
    });
  }

  std::span<const TokenId> tokens_;  // of whole windows, and the last target
  ThreadTeam team_;
  Scorer scorer_;
  std::optional<Replicas> replicas_;  // none for scoring
};

}  // namespace

std::unique_ptr<TextLoss> make_text_loss(const ModelConfig& config, int window, std::span<const TokenId> tokens,
                                         Transformer::Use use, const ScoringPlace& place) {
  const ScoringPlace there = decided(place);
  if (there.device == Device::cuda) return make_cuda_text_loss(config, window, tokens, use);
  return std::make_unique<CpuTextLoss>(config, window, tokens, use, there);
}

}  // namespace btm
