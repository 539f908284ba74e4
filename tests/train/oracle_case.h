// 300 steps of training that PyTorch made (tests/oracle/train_cases.py), and how they are repeated.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "btm/core/token.h"
#include "btm/train/learner.h"

namespace btm::test {

struct OracleCase {
  std::filesystem::path folder;  // its init/ is a checkpoint
  TrainingSettings settings;
  int sequences = 0;
  Json steps;                   // what PyTorch found, in float32
  std::vector<TokenId> tokens;  // [steps, sequences, context + 1]
};
OracleCase read_case(const std::string& family);

// Updates [begin, end).
std::vector<UpdateReport> train(Learner& learner, const OracleCase& c, int end, int begin = 0);

// For operands of 8 bits: the mean losses over 20 steps are within 0.5 %.
void expect_losses_like_pytorch(const OracleCase& c, const std::vector<UpdateReport>& reports);

}  // namespace btm::test
