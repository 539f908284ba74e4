#include "btm/train/score_cuda.h"

#include <algorithm>

#include "btm/train/score.h"

namespace btm::cuda {

Scorer::Scorer(Transformer& transformer)
    : transformer_(transformer), staged_(transformer), log_probs_(static_cast<std::size_t>(staged_.rows())) {}

void Scorer::score(const Parameters& parameters, int offsets, int window, std::span<const TokenId> tokens,
                   std::span<float> log_probs) {
  const auto width = static_cast<std::size_t>(window), length = static_cast<std::size_t>(transformer_.length());
  const auto group = static_cast<std::size_t>(transformer_.sequences());
  const std::size_t windows = scored_windows(tokens.size(), window);
  const cudaStream_t stream = transformer_.stream();
  for (std::size_t first = 0; first < windows; first += group) {
    const std::size_t start = first * width, count = std::min(group, windows - first), size = count * width;
    staged_.fill(tokens.subspan(start, size), tokens.subspan(start + 1, size), width);
    transformer_.load(staged_.batch());
    graphs_[offsets].run(stream, [&] { scored_ = transformer_.score(parameters); });
    check_cuda(
        cudaMemcpyAsync(log_probs_.data(), scored_, log_probs_.size() * sizeof(float), cudaMemcpyDeviceToHost, stream),
        "a copy of the scores");
    check_cuda(cudaStreamSynchronize(stream), "the scoring");
    for (std::size_t w = 0; w < count; ++w) {
      std::copy_n(log_probs_.data() + w * length, width, log_probs.data() + start + w * width);
    }
  }
}

}  // namespace btm::cuda
