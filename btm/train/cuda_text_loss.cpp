#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "btm/core/error.h"
#include "btm/model/cuda/graph.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/products.h"
#include "btm/model/cuda/transformer.h"
#include "btm/train/parameters_cuda.h"
#include "btm/train/score.h"
#include "btm/train/score_cuda.h"
#include "btm/train/staged_cuda.h"
#include "btm/train/text_loss.h"

namespace btm {
namespace {

class CudaTextLoss : public TextLoss {
 public:
  CudaTextLoss(const ModelConfig& config, int window, std::span<const TokenId> tokens, Transformer::Use use)
      : tokens_(tokens),
        window_(window),
        targets_(scored_windows(tokens.size(), window) * static_cast<std::size_t>(window)),
        parameters_(static_cast<std::size_t>(parameter_count(config))),
        loss_(1),
        transformer_(config, cuda::sequences_at_once(config, window, use, scored_windows(tokens.size(), window)),
                     window, use, *products_),
        scorer_(transformer_) {
    if (use == Transformer::Use::training) training_.emplace(transformer_, config);
  }

  double of(std::span<const float> parameters, std::span<float> gradient) override {
    if (!gradient.empty() && !training_) throw failure("TextLoss: made for scoring, asked for gradients");
    parameters_.load(products_->stream(), parameters);
    return (gradient.empty() ? score() : train(gradient)) / static_cast<double>(targets_);
  }

 private:
  struct Training {
    Training(const cuda::Transformer& transformer, const ModelConfig& config)
        : staged(transformer, config), gradients(static_cast<std::size_t>(parameter_count(config))) {}
    cuda::StagedSequences staged;
    cuda::DeviceArray<float> gradients;
    cuda::Graph graph;
  };

  template <class T>
  void read(T* to, const T* from, std::size_t count) {
    cuda::check_cuda(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDeviceToHost, products_->stream()),
                     "a copy");
  }
  void wait() { cuda::check_cuda(cudaStreamSynchronize(products_->stream()), "the loss"); }

  double score() {
    std::vector<float> log_probs(targets_);
    scorer_.score(parameters_.both(), 0, window_, tokens_, log_probs);
    return -std::accumulate(log_probs.begin(), log_probs.end(), 0.0);
  }

  double train(std::span<float> gradient) {
    const std::size_t most = static_cast<std::size_t>(transformer_.sequences()) * static_cast<std::size_t>(window_);
    const auto scale = static_cast<float>(1.0 / static_cast<double>(targets_));
    const cudaStream_t stream = products_->stream();
    cuda::check_cuda(cudaMemsetAsync(training_->gradients.data(), 0, gradient.size_bytes(), stream), "to clear");
    cuda::check_cuda(cudaMemsetAsync(loss_.data(), 0, sizeof(double), stream), "to clear");
    for (std::size_t begin = 0; begin < targets_; begin += most) {
      const std::size_t size = std::min(most, targets_ - begin);
      wait();  // until the last ones were read
      training_->staged.fill(tokens_.subspan(begin, size), tokens_.subspan(begin + 1, size));
      transformer_.load(training_->staged.batch());
      training_->graph.run(
          stream, [&] { transformer_.train(parameters_.both(), scale, training_->gradients.data(), loss_.data()); });
    }
    double loss = 0;
    read(&loss, loss_.data(), 1);
    read(gradient.data(), training_->gradients.data(), gradient.size());
    wait();
    return loss;
  }

  std::span<const TokenId> tokens_;
  int window_;
  std::size_t targets_;
  std::unique_ptr<cuda::Products> products_ = cuda::make_products();
  cuda::DeviceParameters parameters_;
  cuda::DeviceArray<double> loss_;
  cuda::Transformer transformer_;
  cuda::Scorer scorer_;
  std::optional<Training> training_;
};

}  // namespace

std::unique_ptr<TextLoss> make_cuda_text_loss(const ModelConfig& config, int window, std::span<const TokenId> tokens,
                                              Transformer::Use use) {
  return std::make_unique<CudaTextLoss>(config, window, tokens, use);
}

}  // namespace btm
