// The evaluation of a forest: every form of it on every domain, one table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "btm/forest/forest.h"
#include "btm/mixture/prior.h"
#include "btm/train/text_scorer.h"

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

// Throws Error(input) naming the first setting that can't be.
void check_evaluation(const EvaluateSettings& settings);

struct EvaluationDomain {
  std::string name;
  std::string role;  // train or novel
};

// Text that is not in the plan; scored as a novel domain.
struct EvaluationText {
  std::string name;
  std::string path;  // file, folder or glob; the forest's own files are not of it
};

struct EvaluateOptions {
  ScoringPlace place;
  bool quiet = false;
  std::vector<std::filesystem::path> known_scores = {};  // results/scores of forests that may share models and texts
};

// Domains with tokens in the forest: those that some expert was trained on are train, all others novel. Imported
// experts were trained on text of another forest, whatever it is called there.
std::vector<EvaluationDomain> evaluation_domains(const Forest& forest);

// Scores every expert, the seed and the comparisons on dev sample and test text of every domain (one model in memory at
// a time; scores are kept in results/scores/, so only what is new is scored), mixes and averages them, and writes
// results/evaluation.json in place of the old one and of its recipe.json; it also returns it (format: docs/formats.md).
// The rows are the mixtures of the settings and, where there are such models, seed, dense, best_single and oracle.
// Throws Error(input), then all is as it was but for scores: no experts, no domains, a domain without text, unknown
// mixture.
Json evaluate_forest(const Forest& forest, const EvaluateSettings& settings,
                     const std::vector<EvaluationDomain>& domains, const std::vector<EvaluationText>& texts,
                     const EvaluateOptions& options);

}  // namespace btm
