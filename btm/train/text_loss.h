// The loss of a text under a model whose parameters change, and its gradient, on this machine's cores or a GPU.
#pragma once

#include <memory>
#include <span>

#include "btm/model/transformer.h"
#include "btm/train/text_scorer.h"

namespace btm {

class TextLoss {
 public:
  virtual ~TextLoss() = default;

  // Mean of -log p, nats per token, under these parameters (laid out as parameter_layout()). `gradient` [parameters],
  // unless it is empty, gets its derivatives by them.
  virtual double of(std::span<const float> parameters, std::span<float> gradient) = 0;
};

// Of `tokens` in windows of `window` inputs, of which there is one at least: what is left over at their end does not
// count. The tokens outlive it. Only one made for training gives gradients. Throws Error(input) as make_text_scorer.
std::unique_ptr<TextLoss> make_text_loss(const ModelConfig& config, int window, std::span<const TokenId> tokens,
                                         Transformer::Use use, const ScoringPlace& place);

// Its GPU half; without CUDA, cuda_none.cpp stands in.
std::unique_ptr<TextLoss> make_cuda_text_loss(const ModelConfig& config, int window, std::span<const TokenId> tokens,
                                              Transformer::Use use);

}  // namespace btm
