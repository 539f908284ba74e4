// The reference cases that tests/oracle/model_cases.py wrote.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "btm/core/token.h"
#include "btm/model/parameters.h"

namespace btm::test {

struct OracleCase {
  std::string name;
  Model model;
  int sequences, length;
  float scale;
  std::vector<TokenId> tokens, targets;                 // [sequences, length]
  std::vector<float> logits;                            // [sequences, length, vocab]
  std::vector<float> log_probs;                         // [sequences, length]
  std::map<std::string, std::vector<float>> gradients;  // by tensor, of -scale x sum(log_probs)
};

const OracleCase& oracle_case(std::string_view name);  // read once

}  // namespace btm::test
