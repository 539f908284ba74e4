#include "btm/train/dev_loss.h"

#include <algorithm>
#include <numeric>

#include "btm/core/files.h"
#include "btm/data/token_store.h"
#include "btm/train/passes.h"
#include "btm/train/score.h"

namespace btm {

DevLoss::DevLoss(const TrainingJob& job) {
  std::size_t longest = 0;
  for (const auto& data : job.data) {
    TokenStore store(fs::path(data.folder) / "dev");
    const std::int64_t size = std::min(store.tokens() - 1, job.training.dev_tokens) + 1;
    if (size < 2) {
      throw input_error("domain {}: {} has {} dev tokens, at least 2 are needed; give the domain more text",
                        data.domain, data.folder, store.tokens());
    }
    Domain& domain = domains_.emplace_back();
    domain.tokens.resize(static_cast<std::size_t>(size));
    store.copy_stream(0, domain.tokens);
    check_tokens(domain.tokens, job.model.vocab_size, data.domain);
    domain.window = static_cast<int>(std::min<std::int64_t>(job.model.context, size - 1));
    longest = std::max(longest, domain.tokens.size());
  }
  log_probs_.resize(longest);
  order_.resize(domains_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::stable_sort(order_, std::ranges::greater(), [this](std::size_t i) { return domains_[i].window; });
}

std::optional<double> DevLoss::measure(int abreast, const DomainScore& score, bool (*stop)()) {
  double sum = 0;
  for (const std::size_t i : order_) {
    const Domain& domain = domains_[i];
    const auto window = static_cast<std::size_t>(domain.window);
    const std::size_t size = scored_windows(domain.tokens.size(), domain.window) * window;
    // Between two calls of stop. Whole calls of a model: the loss has the same bytes for any number that are abreast.
    const std::size_t piece =
        static_cast<std::size_t>(abreast) * static_cast<std::size_t>(sequences_per_call(domain.window)) * window;
    for (std::size_t first = 0; first < size; first += piece) {
      if (stop && stop()) return std::nullopt;
      const std::size_t count = std::min(piece, size - first);
      score(static_cast<int>(i), domain.window, std::span(domain.tokens).subspan(first, count + 1),
            std::span(log_probs_).subspan(first, count));
    }
    sum -= std::accumulate(log_probs_.begin(), log_probs_.begin() + static_cast<std::ptrdiff_t>(size), 0.0) /
           static_cast<double>(size);
  }
  return sum / static_cast<double>(domains_.size());
}

std::int64_t DevLoss::tokens() const {
  std::int64_t sum = 0;
  for (const Domain& domain : domains_) sum += static_cast<std::int64_t>(domain.tokens.size()) - 1;
  return sum;
}

}  // namespace btm
