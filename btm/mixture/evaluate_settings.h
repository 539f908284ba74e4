// `evaluate` of a plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "btm/mixture/prior.h"

namespace btm {

struct EvaluateSettings {
  std::int64_t tokens_per_domain = 50'000;
  int dev_sequences = 100;  // as in the paper, section 4.3
  std::vector<std::string> mixtures = {"ensemble",        "top_1",           "top_2",          "top_4",
                                       "ensemble_cached", "average_uniform", "average_argmax", "average_posterior"};
  int average_budget = 24;
  PriorSettings weights;
};
template <class F>
void visit(EvaluateSettings& s, F&& f) {
  f("tokens_per_domain", s.tokens_per_domain, "of the test text, from its start");
  f("dev_sequences", s.dev_sequences, "sequences of a domain's dev text that set the weights of a mixture for it");
  f("mixtures", s.mixtures,
    "of ensemble, ensemble_cached (the paper's), _updating, _dropping, _and_seed, _and_average; top_K, top_K_by_token; "
    "average_probabilities, "
    "product_of_experts; average_uniform, _argmax, _posterior, _em, _fitted, _greedy, _interpolated");
  f("average_budget", s.average_budget, "models that average_fitted and _interpolated try for a domain, at most");
  visit(s.weights, f);
}

// Throws Error(input) naming the first setting that can't be; `where` stands before its name: "", "evaluate.".
void check_evaluation(const EvaluateSettings& settings, const std::string& where);

}  // namespace btm
