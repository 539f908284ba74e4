#include "btm/plan/evaluation.h"

#include "btm/core/files.h"
#include "btm/core/seal.h"
#include "btm/report/evaluation_table.h"

namespace btm {

namespace {

// Where older versions kept the recipe of a table.
fs::path old_recipe(const ForestPaths& paths) {
  return paths.results() / "recipe.json";
}

}  // namespace

std::vector<EvaluationDomain> evaluation_domains(const Plan& plan, const ForestPaths& paths) {
  std::vector<EvaluationDomain> domains;
  for (const auto& [name, domain] : plan.domains) {
    if (fs::exists(paths.tokens(name) / "test.idx")) domains.push_back({name, std::string(to_word(domain.role))});
  }
  return domains;
}

void write_evaluation(const ForestPaths& paths, const Json& evaluation) {
  remove_whole(old_recipe(paths));
  write_sealed_file(paths.evaluation(), evaluation.dump(2) + "\n");
  ensure_evaluation_text(paths, evaluation);
}

Json load_evaluation(const ForestPaths& paths) {
  if (!fs::exists(paths.evaluation())) return nullptr;
  const std::string bytes = read_file(paths.evaluation());
  if (check_seal(bytes) == Seal::broken) return nullptr;
  Json evaluation = Json::parse(unsealed(bytes), nullptr, false);
  return evaluation.is_object() && evaluation.contains("rows") ? evaluation : nullptr;
}

void remove_evaluation(const ForestPaths& paths) {
  for (const fs::path& file : {paths.evaluation(), paths.evaluation_text(), old_recipe(paths)}) remove_whole(file);
}

void ensure_evaluation_text(const ForestPaths& paths, const Json& evaluation) {
  ensure_sealed_file(paths.evaluation_text(), evaluation_markdown(evaluation));
}

}  // namespace btm
