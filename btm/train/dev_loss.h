// The loss on the dev tokens of each domain, while training goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "btm/core/token.h"
#include "btm/train/job.h"

namespace btm {

// As Scorer::score for windows of `window` inputs, under the model that domain number `domain` of the job sees.
using DomainScore =
    std::function<void(int domain, int window, std::span<const TokenId> tokens, std::span<float> log_probs)>;

class DevLoss {
 public:
  explicit DevLoss(const TrainingJob& job);  // reads the tokens; throws Error(input)

  // Nats per token, mean over the domains, each with the first training.dev_tokens of its dev tokens in windows of the
  // model's context (shorter where a domain has fewer). nullopt: `stop`, which may be null, said so meanwhile.
  // `abreast`: windows that are scored at the same time.
  std::optional<double> measure(int abreast, const DomainScore& score, bool (*stop)());

  std::int64_t tokens() const;  // that one call scores

 private:
  struct Domain {
    std::vector<TokenId> tokens;
    int window = 0;
  };
  std::vector<Domain> domains_;
  std::vector<std::size_t> order_;  // of scoring: by window, each of which may cost buffers of its own
  std::vector<float> log_probs_;
};

}  // namespace btm
