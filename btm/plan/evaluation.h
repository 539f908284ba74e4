// The results of a forest as its plan has them: which domains, and all the files that an evaluation leaves.
#pragma once

#include <vector>

#include "btm/mixture/evaluate.h"
#include "btm/plan/plan.h"

namespace btm {

// Those of the plan that have tokens in the forest, with their roles.
std::vector<EvaluationDomain> evaluation_domains(const Plan& plan, const ForestPaths& paths);

// evaluate_forest, and results/evaluation.md beside results/evaluation.json.
Json evaluate(const Forest& forest, const EvaluateSettings& settings, const std::vector<EvaluationDomain>& domains,
              const std::vector<EvaluationText>& texts, const EvaluateOptions& options);

// All of these files: of experts that are no more.
void remove_evaluation(const ForestPaths& paths);

// results/evaluation.md of results that are there.
void write_evaluation_text(const ForestPaths& paths, const Json& evaluation);

}  // namespace btm
