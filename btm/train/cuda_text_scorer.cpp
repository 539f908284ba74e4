#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/products.h"
#include "btm/model/cuda/transformer.h"
#include "btm/train/adamw_cuda.h"
#include "btm/train/score_cuda.h"
#include "btm/train/text_scorer.h"

namespace btm {
namespace {

class CudaTextScorer : public TextScorer {
 public:
  CudaTextScorer(const Model& model, int window)
      : TextScorer(model.config, window),
        masters_(model.parameters.size()),
        rounded_(model.parameters.size()),
        transformer_(model.config, cuda::sequences_at_once(model.config, window, cuda::Transformer::Use::scoring),
                     window, cuda::Transformer::Use::scoring, products_.get()),
        scorer_(transformer_) {
    cuda::check_cuda(cudaMemcpyAsync(masters_.data(), model.parameters.data(), masters_.size() * sizeof(float),
                                     cudaMemcpyHostToDevice, products_.get()),
                     "a copy of the weights");
    cuda::round_parameters(products_.get(), masters_.size(), masters_.data(), rounded_.data());
  }

  void score(std::span<const TokenId> tokens, std::span<float> log_probs) override {
    scorer_.score({masters_.data(), rounded_.data()}, 0, window(), tokens, log_probs);
  }

 private:
  cuda::ProductStream products_;
  cuda::DeviceArray<float> masters_;
  cuda::DeviceArray<cuda::bf16> rounded_;
  cuda::Transformer transformer_;
  cuda::Scorer scorer_;
};

}  // namespace

std::unique_ptr<TextScorer> make_cuda_text_scorer(const Model& model, int window) {
  return std::make_unique<CudaTextScorer>(model, window);
}

}  // namespace btm
