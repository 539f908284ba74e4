#include "btm/report/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/report/evaluation_reading.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

std::string facts_of(const Results& results) {
  std::vector<std::string> facts;
  if (!results.forest.is_null()) {
    facts.push_back(counted(results.forest.at("experts").size(), "expert"));
    int cycles = 0;
    for (const Json& expert : results.forest.at("experts")) cycles = std::max(cycles, expert.at("cycle").get<int>());
    if (cycles > 0) facts.push_back(counted(cycles, "cycle"));
    if (const Json& seed = results.forest.at("seed"); seed.contains("parameters")) {
      facts.push_back(format_count(seed.at("parameters")) + " parameters each");
    }
  }
  if (!results.evaluation.is_null()) {
    facts.push_back(counted(results.evaluation.at("domains").size(), "domain"));
    facts.push_back(counted(results.evaluation.at("rows").size(), "model") + " compared");
  }
  return fmt::format("{}", fmt::join(facts, " · "));
}

}  // namespace

Report make_report(const std::string& title, const Results& results) {
  constexpr const char* kForest = "results/forest.json";
  Report report{title, "", {}, {}};
  auto add = [&report](Section section) {
    if (!section.figures.empty() || !section.tables.empty()) report.sections.push_back(std::move(section));
  };
  reading(kEvaluation, [&] {
    report.highlights = highlights_of(results.evaluation);
    add(results_section(results.evaluation));
    add(domains_section(results.evaluation));
    add(posterior_section(results.evaluation));
  });
  reading(kForest, [&] {
    add(lineage_section(results.forest));
    add(curves_section(results.forest));
    add(cost_section(results.forest));
    report.facts = facts_of(results);
  });
  reading("study.json", [&] { add(studies_section(results.studies)); });
  if (report.sections.empty()) {
    throw input_error("{}: nothing to report yet; grow it and evaluate it: btm grow PLAN, btm evaluate FOREST", title);
  }
  return report;
}

}  // namespace btm
