// One model that scores texts, on this machine's cores or a GPU.
#pragma once

#include <memory>
#include <span>

#include "btm/core/token.h"
#include "btm/model/parameters.h"
#include "btm/train/device.h"
#include "btm/train/settings.h"

namespace btm {

struct ScoringPlace {
  Device device = Device::cpu;
  int threads = 1;  // on the CPU
  // Of the products' operands; a GPU has bf16 alone. automatic: the fastest, as for training.
  Precision precision = Precision::fp32;
};

// The same place with what is automatic decided. Throws Error(input): cuda, but there is no GPU.
ScoringPlace decided(const ScoringPlace& place);

// Neither the number of threads nor what was scored before changes a result.
class TextScorer {
 public:
  TextScorer(const ModelConfig& config, int window) : config_(config), window_(window) {}
  virtual ~TextScorer() = default;

  const ModelConfig& config() const { return config_; }
  int window() const { return window_; }

  // As Scorer::score for windows of window() inputs.
  virtual void score(std::span<const TokenId> tokens, std::span<float> log_probs) = 0;

 private:
  ModelConfig config_;
  int window_;
};

// The model outlives the scorer; window <= its context. Throws Error(input): as for the place; on a GPU a shape that
// its kernels don't do, or no memory.
std::unique_ptr<TextScorer> make_text_scorer(const Model& model, int window, const ScoringPlace& place);

// Its GPU half; without CUDA, cuda_none.cpp stands in.
std::unique_ptr<TextScorer> make_cuda_text_scorer(const Model& model, int window);

}  // namespace btm
