// What `btm generate` runs: the models, how they are mixed, and their tokenizer.
#pragma once

#include <string>
#include <vector>

#include "btm/data/tokenizer.h"
#include "btm/mixture/member.h"
#include "btm/mixture/posterior.h"
#include "cli/mixture_options.h"

namespace btm {

struct GenerateChoice {
  std::string name;
  std::vector<Member> members;
  MixtureWeights weights;
  Tokenizer tokenizer;
};

struct GenerateChoiceOptions {
  std::string source;           // a forest, or one model
  std::string expert, average;  // of the forest; both empty: the ensemble
  MixtureOptions mixture;
  int top_experts = 0;
  double drop_below = 0;
  bool with_seed = false;
  int threads = 1;
  bool quiet = false;

  void add(Command& command);
};

// The prompts set the posterior by which top experts are chosen where there is no prior. Throws Error(input) for names
// that are of nothing (naming the nearest), and for options that don't go together.
GenerateChoice choose(const GenerateChoiceOptions& options, const std::vector<std::string>& prompts);

}  // namespace btm
