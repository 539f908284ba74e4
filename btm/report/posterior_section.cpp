#include <algorithm>

#include "btm/report/evaluation_reading.h"
#include "btm/report/figures.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

// {DOMAIN: {EXPERT: weight}}: the posteriors, or else the priors of the ensemble.
Json weights_of(const Json& evaluation) {
  if (evaluation.contains("posteriors")) return evaluation.at("posteriors");
  Json weights = Json::object();
  for (const Json& row : evaluation.at("rows")) {
    if (row.at("model") != "ensemble") continue;
    for (const auto& [name, domain] : row.at("domains").items()) {
      if (domain.contains("prior")) weights[name] = domain.at("prior");
    }
  }
  return weights;
}

std::vector<std::string> experts_of(const Json& weights) {
  std::vector<std::string> experts;
  for (const Json& domain : weights) {
    for (const auto& [name, weight] : domain.items()) {
      if (std::find(experts.begin(), experts.end(), name) == experts.end()) experts.push_back(name);
    }
  }
  return experts;
}

}  // namespace

Section posterior_section(const Json& evaluation) {
  Section section{"Posterior", "", {}, {}};
  if (evaluation.is_null()) return section;
  Json weights = weights_of(evaluation);
  if (weights.empty()) return section;
  HeatMap map{"Weights of the experts in each domain", {}, experts_of(weights), {}};
  for (const auto& [name, domain] : evaluation.at("domains").items()) {
    auto found = weights.find(name);
    if (found == weights.end()) continue;
    map.rows.push_back({name, role_heading(domain)});
    auto& row = map.values.emplace_back();
    for (const std::string& expert : map.columns) {
      bool known = found->contains(expert);
      row.push_back(known ? std::optional(found->at(expert).get<double>()) : std::nullopt);
    }
  }
  section.note =
      "Which experts explain a domain: the mean posterior over its dev sequences. A row per domain, a column per "
      "expert.";
  section.figures.push_back(figure_of("posterior", map));
  return section;
}

}  // namespace btm
