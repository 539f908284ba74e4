#include "btm/model/cuda/products.h"
#include "btm/model/cuda/transformer.h"
#include "btm/train/parameters_cuda.h"
#include "btm/train/score_cuda.h"
#include "btm/train/text_scorer.h"

namespace btm {
namespace {

class CudaTextScorer : public TextScorer {
 public:
  CudaTextScorer(const Model& model, int window)
      : TextScorer(model.config, window),
        parameters_(model.parameters.size()),
        transformer_(model.config, cuda::sequences_at_once(model.config, window, cuda::Transformer::Use::scoring),
                     window, cuda::Transformer::Use::scoring, *products_),
        scorer_(transformer_) {
    parameters_.load(products_->stream(), model.parameters.span());
  }

  void score(std::span<const TokenId> tokens, std::span<float> log_probs) override {
    scorer_.score(parameters_.both(), 0, window(), tokens, log_probs);
  }

 private:
  std::unique_ptr<cuda::Products> products_ = cuda::make_products();
  cuda::DeviceParameters parameters_;
  cuda::Transformer transformer_;
  cuda::Scorer scorer_;
};

}  // namespace

std::unique_ptr<TextScorer> make_cuda_text_scorer(const Model& model, int window) {
  return std::make_unique<CudaTextScorer>(model, window);
}

}  // namespace btm
