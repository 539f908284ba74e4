#include "btm/model/head.h"

#include <algorithm>

#include "btm/model/kernels/loss.h"

namespace btm {
namespace {

// Logits of 256 x 8192 fill 8 MiB: within a third-level cache, yet long enough a product.
constexpr int kChunkRows = 256;

}  // namespace

Head::Head(const LinearOffsets& head, int rows)
    : head_(head),
      chunk_(std::min(rows, kChunkRows)),
      logits_(std::size_t(chunk_) * head.out),
      scaled_(std::size_t(chunk_) * head.in),
      factors_(chunk_) {}

std::size_t Head::floats(const LinearOffsets& head, int rows) {
  return std::size_t(std::min(rows, kChunkRows)) * (head.out + head.in + 1);
}

void Head::score(const Weights& weights, int rows, const float* hidden, const TokenId* targets, float* log_probs) {
  for (int first = 0; first < rows; first += chunk_) {
    const int count = std::min(chunk_, rows - first);
    linear_forward(head_, weights, count, hidden + std::size_t(first) * head_.in, logits_.data());
    log_probabilities(count, head_.out, logits_.data(), targets + first, log_probs + first);
  }
}

void Head::train(const Weights& weights, int rows, const float* hidden, const TokenId* targets, float scale,
                 float* log_probs, float* d_hidden, float* gradients) {
  const int width = head_.in, vocab = head_.out;
  const OperandArray scaled = operands_at(scaled_.data(), weights.operands);
  for (int first = 0; first < rows; first += chunk_) {
    const int count = std::min(chunk_, rows - first);
    const float* x = hidden + std::size_t(first) * width;
    float* dx = d_hidden + std::size_t(first) * width;
    linear_forward(head_, weights, count, x, logits_.data());
    const OperandView d_logits = cross_entropy(count, vocab, logits_.data(), targets + first, scale, weights.operands,
                                               log_probs + first, factors_.data());
    linear_backward_input(head_, weights, count, d_logits, dx);
    scale_rows(count, width, factors_.data(), dx, dx);
    scale_rows(count, width, factors_.data(), x, scaled);
    linear_backward_weight(head_, weights.operands, count, scaled, d_logits, gradients);
  }
}

}  // namespace btm
