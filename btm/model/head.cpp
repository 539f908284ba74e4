#include "btm/model/head.h"

#include <algorithm>

#include "btm/model/kernels/loss.h"

namespace btm {
namespace {

// Logits of 256 x 8192 fill 8 MiB: within a third-level cache, yet long enough a product.
constexpr int kChunkRows = 256;

int chunk_of(int rows, int members) {
  return std::min(Share{0, members}.largest(rows), kChunkRows);
}

}  // namespace

Head::Head(const LinearOffsets& head, int rows, int members)
    : head_(head),
      chunk_(chunk_of(rows, members)),
      logits_(std::size_t(members) * chunk_ * head.out),
      scaled_(std::size_t(members) * chunk_ * head.in),
      factors_(std::size_t(members) * chunk_) {}

std::size_t Head::floats(const LinearOffsets& head, int rows, int members) {
  return std::size_t(members) * chunk_of(rows, members) * (head.out + head.in + 1);
}

void Head::score(const Weights& weights, int rows, const float* hidden, const TokenId* targets, float* log_probs) {
  for (int first = 0; first < rows; first += chunk_) {
    const int count = std::min(chunk_, rows - first);
    linear_forward(head_, weights, count, hidden + std::size_t(first) * head_.in, logits_.data());
    log_probabilities(count, head_.out, logits_.data(), targets + first, log_probs + first);
  }
}

void Head::train(const Weights& weights, const Share& share, int rows, const float* hidden, const TokenId* targets,
                 float scale, float* log_probs, float* d_hidden, float* gradients) {
  const int width = head_.in, vocab = head_.out, member = share.member;
  float* const factors = factors_.data() + std::size_t(member) * chunk_;
  for (int done = 0; done < share.largest(rows); done += chunk_) {  // as often for all
    const auto left = [&](const Share& s) { return std::clamp(s.size(rows) - done, 0, chunk_); };
    const int first = share.begin(rows) + done, count = left(share);
    if (done > 0) share.meet();  // all are through with the last chunk
    if (count > 0) {
      const float* x = hidden + std::size_t(first) * width;
      float* dx = d_hidden + std::size_t(first) * width;
      linear_forward(head_, weights, count, x, logits(member));
      const OperandView d_logits = cross_entropy(count, vocab, logits(member), targets + first, scale, weights.operands,
                                                 log_probs + first, factors);
      linear_backward_input(head_, weights, count, d_logits, dx);
      scale_rows(count, width, factors, dx, dx);
      scale_rows(count, width, factors, x, operands_at(scaled(member), weights.operands));
    }
    share.meet();
    for (int other = 0; other < share.members; ++other) {
      linear_backward_weight(head_, weights.operands, left(share.of(other)),
                             operands_at(scaled(other), weights.operands), operands_at(logits(other), weights.operands),
                             gradients, share);
    }
  }
}

}  // namespace btm
