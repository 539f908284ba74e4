#include "btm/plan/evaluation.h"

#include "btm/core/files.h"
#include "btm/core/seal.h"
#include "btm/report/evaluation_table.h"

namespace btm {

std::vector<EvaluationDomain> evaluation_domains(const Plan& plan, const ForestPaths& paths) {
  std::vector<EvaluationDomain> domains;
  for (const auto& [name, domain] : plan.domains) {
    if (fs::exists(paths.tokens(name) / "test.idx")) domains.push_back({name, std::string(to_word(domain.role))});
  }
  return domains;
}

Json evaluate(const Forest& forest, const EvaluateSettings& settings, const std::vector<EvaluationDomain>& domains,
              const std::vector<EvaluationText>& texts, const EvaluateOptions& options) {
  Json evaluation = evaluate_forest(forest, settings, domains, texts, options);
  write_evaluation_text(forest.paths, evaluation);
  return evaluation;
}

void remove_evaluation(const ForestPaths& paths) {
  for (const fs::path& file : {paths.evaluation_recipe(), paths.evaluation(), paths.evaluation_text()})
    remove_folder(file);
}

void write_evaluation_text(const ForestPaths& paths, const Json& evaluation) {
  write_sealed_file(paths.evaluation_text(), evaluation_markdown(evaluation));
}

}  // namespace btm
