// What tests/oracle/generate_cases.py leaves: models, prompts, and what they go on with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/settings.h"
#include "btm/mixture/generate.h"
#include "tests/support/temporary_folder.h"

namespace btm::test {

inline Member member(const std::string& name) {
  return single_member(name, oracle_folder() / name, name);
}

inline Json cases() {
  return Json::parse(read_file(oracle_folder() / "cases.json"));
}

inline Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::load(oracle_folder() / name);
}

inline GenerateSettings greedy(std::int64_t tokens) {
  GenerateSettings settings;
  settings.tokens = tokens;
  settings.sampler.temperature = 0;
  return settings;
}

inline std::vector<TokenId> ids(const Generation& out) {
  std::vector<TokenId> result;
  for (const GeneratedToken& token : out.tokens) result.push_back(token.id);
  return result;
}

inline void ignore(std::size_t, std::string_view, int) {}

inline std::vector<Member> experts() {
  return {member("expert_0"), member("expert_1"), member("expert_2")};
}

inline MixtureWeights weights_of(const Json& run) {
  return {run["prior"].get<std::vector<double>>(), run["forgetting"], run["evidence"]};
}

}  // namespace btm::test
