#include "btm/model/head.h"

#include <algorithm>

#include "btm/model/kernels/gemm.h"
#include "btm/model/kernels/loss.h"

namespace btm {
namespace {

constexpr int kChunkRows =
    256;  // logits of 256 x 8192 fill 8 MiB: within a third-level cache, yet long enough a product

}  // namespace

Head::Head(HeadShape shape, int rows)
    : shape_(shape),
      chunk_(std::min(rows, kChunkRows)),
      logits_(std::size_t(chunk_) * shape.vocab),
      scaled_(std::size_t(chunk_) * shape.width),
      factors_(chunk_) {}

void head_logits(HeadShape s, const float* weights, int rows, const float* hidden, float* logits) {
  gemm(rows, s.vocab, s.width, 1, {hidden, s.width}, transposed(weights, s.width), 0, logits, s.vocab);
}

void Head::score(const float* weights, int rows, const float* hidden, const TokenId* targets, float* log_probs) {
  for (int first = 0; first < rows; first += chunk_) {
    const int count = std::min(chunk_, rows - first);
    head_logits(shape_, weights, count, hidden + std::size_t(first) * shape_.width, logits_.data());
    log_probabilities(count, shape_.vocab, logits_.data(), targets + first, log_probs + first);
  }
}

void Head::train(const float* weights, int rows, const float* hidden, const TokenId* targets, float scale,
                 float* log_probs, float* d_hidden, float* d_weights) {
  const auto [width, vocab] = shape_;
  for (int first = 0; first < rows; first += chunk_) {
    const int count = std::min(chunk_, rows - first);
    const float* x = hidden + std::size_t(first) * width;
    float* dx = d_hidden + std::size_t(first) * width;
    head_logits(shape_, weights, count, x, logits_.data());
    cross_entropy(count, vocab, logits_.data(), targets + first, scale, log_probs + first, factors_.data());
    gemm(count, width, vocab, 1, {logits_.data(), vocab}, {weights, width}, 0, dx, width);
    scale_rows(count, width, factors_.data(), dx, dx);
    scale_rows(count, width, factors_.data(), x, scaled_.data());
    gemm(vocab, width, count, 1, transposed(logits_.data(), vocab), {scaled_.data(), width}, 1, d_weights, width);
  }
}

}  // namespace btm
