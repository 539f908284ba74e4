// The results of a forest as its plan has them: which domains, and all the files that an evaluation leaves.
#pragma once

#include <vector>

#include "btm/mixture/evaluate.h"
#include "btm/plan/plan.h"

namespace btm {

// Those of the plan that have tokens in the forest, with their roles.
std::vector<EvaluationDomain> evaluation_domains(const Plan& plan, const ForestPaths& paths);

// What evaluate_forest gave, as results/evaluation.json and results/evaluation.md.
void write_evaluation(const ForestPaths& paths, const Json& evaluation);
void ensure_evaluation_text(const ForestPaths& paths, const Json& evaluation);  // the second, if it isn't that already

// results/evaluation.json; null where there is none, or one that is damaged.
Json load_evaluation(const ForestPaths& paths);

// Both: of experts that are no more.
void remove_evaluation(const ForestPaths& paths);

}  // namespace btm
