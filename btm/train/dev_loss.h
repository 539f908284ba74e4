// The loss on the dev tokens of each domain, while training goes on.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "btm/core/token.h"
#include "btm/model/demix.h"
#include "btm/train/job.h"
#include "btm/train/score.h"

namespace btm {

class DevLoss {
 public:
  // Reads the tokens. The team outlives this. Throws Error(input).
  DevLoss(const TrainingJob& job, ThreadTeam& team);

  // Nats per token, mean over the domains, each with the first training.dev_tokens of its dev tokens in windows of the
  // model's context (shorter where a domain has fewer).
  // With `demix`, each domain under the model that it sees.
  double measure(const float* parameters, const DemixLayout* demix = nullptr);

  std::int64_t tokens() const;  // that one call scores

 private:
  struct Domain {
    std::vector<TokenId> tokens;
    int window = 0;
  };
  std::vector<Domain> domains_;
  std::map<int, Scorer> scorers_;  // by window
  std::vector<float> log_probs_;
};

}  // namespace btm
