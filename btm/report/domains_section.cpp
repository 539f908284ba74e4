#include <algorithm>

#include "btm/report/evaluation_data.h"
#include "btm/report/evaluation_reading.h"
#include "btm/report/figures.h"
#include "btm/report/model_styles.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

DotPlot domain_plot(const Json& evaluation, const char* key, const std::string& title, const Axis& axis) {
  DotPlot plot{title, axis, {}, {}};
  for (const auto& [name, domain] : evaluation.at("domains").items()) plot.rows.push_back({name, role_heading(domain)});
  std::vector<std::string> chosen = chosen_models(evaluation.at("rows")), models;
  for (const Json& row : evaluation.at("rows")) models.push_back(row.at("model"));
  std::vector<int> styles = model_styles(models);
  for (const Json& row : evaluation.at("rows")) {
    Dots& dots = plot.series.emplace_back();
    dots.name = row.at("model");
    dots.style = styles[plot.series.size() - 1];
    dots.shown = std::find(chosen.begin(), chosen.end(), dots.name) != chosen.end();
    for (const DotRow& domain : plot.rows) {
      auto found = row.at("domains").find(domain.name);
      bool known = found != row.at("domains").end();
      dots.points.push_back(known ? std::optional(Point{found->at(key), 0, 0}) : std::nullopt);
    }
  }
  return plot;
}

}  // namespace

Section domains_section(const Json& evaluation) {
  Section section{"Domains", "", {}, {}};
  if (evaluation.is_null() || evaluation.at("rows").empty()) return section;
  section.note =
      "A row per domain, a mark per model; further left is better. Names above the plot hide and show a model.";
  section.alternatives = true;
  section.figures.push_back(figure_of(
      "domain-perplexity", domain_plot(evaluation, "perplexity", "Perplexity by domain", {"perplexity", true})));
  section.figures.push_back(
      figure_of("domain-bits-per-byte",
                domain_plot(evaluation, "bits_per_byte", "Bits per byte by domain", {"bits per byte", false})));
  section.tables = {domain_data(evaluation)};
  return section;
}

}  // namespace btm
