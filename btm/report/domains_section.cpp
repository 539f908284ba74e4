#include <fmt/format.h>

#include <algorithm>

#include "btm/core/format.h"
#include "btm/report/evaluation_reading.h"
#include "btm/report/figures.h"
#include "btm/report/model_styles.h"
#include "btm/report/quality_text.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

constexpr std::size_t kBeforeModels = 3;  // columns of the table

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

DataTable domain_data(const Json& evaluation) {
  DataTable table{"domains",
                  "Perplexity per domain and model",
                  {{"", "domain", Align::left}, {"", "role", Align::left}, {"", "test tokens"}},
                  {}};
  for (const Json& row : evaluation.at("rows")) table.columns.push_back({"perplexity", row.at("model")});
  for (const auto& [name, domain] : evaluation.at("domains").items()) {
    auto& cells = table.rows.emplace_back();
    cells = {text_cell(name), text_cell(domain.at("role")), number_cell(domain, "tokens", format_count)};
    for (const Json& row : evaluation.at("rows")) {
      cells.push_back(number_cell(row.at("domains").value(name, Json::object()), "perplexity", perplexity_text));
    }
  }
  return table;
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
  DataTable table = domain_data(evaluation);
  for (auto& row : table.rows) {  // the models are columns here
    std::vector<DataCell*> models;
    for (std::size_t i = kBeforeModels; i < row.size(); ++i) models.push_back(&row[i]);
    mark_least(models);
  }
  section.tables.push_back(std::move(table));
  return section;
}

}  // namespace btm
