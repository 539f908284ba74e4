// The evaluation of a forest: every form of it on every domain, one table.
#pragma once

#include <filesystem>
#include <vector>

#include "btm/core/settings.h"
#include "btm/forest/forest.h"
#include "btm/mixture/evaluate_settings.h"
#include "btm/mixture/evaluation_texts.h"
#include "btm/train/text_scorer.h"

namespace btm {

struct EvaluateOptions {
  ScoringPlace place;
  bool quiet = false;
  std::vector<std::filesystem::path> known_scores = {};  // results/scores of forests that may share models and texts
};

// Scores every expert, the seed and the comparisons on dev sample and test text of every domain (one model in memory at
// a time; scores are kept in results/scores/, so only what is new is scored), mixes and averages them: what
// results/evaluation.json is (format: docs/formats.md). The rows are the mixtures of the settings and, where there are
// such models, seed, dense, best_single and oracle. Throws Error(input): no experts, no domains, a domain without text,
// unknown mixture, or a folder results/ that can't be written to.
Json evaluate_forest(const Forest& forest, const EvaluateSettings& settings,
                     const std::vector<EvaluationDomain>& domains, const std::vector<EvaluationText>& texts,
                     const EvaluateOptions& options);

}  // namespace btm
