#include "btm/report/study_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace btm {
namespace {

std::string value_text(double value) {
  return fmt::format("{:.{}f}", value, value < 10 ? 3 : value < 100 ? 2 : 1);
}

std::string cell_of(const Json& series, const Json& x) {
  for (const Json& point : series["points"]) {
    if (point["x"] != x) continue;
    std::string text = value_text(point["y"]);
    return point.contains("spread") ? text + " ± " + value_text(point["spread"]) : text;
  }
  return "-";
}

}  // namespace

std::string study_table(const Json& study, TableStyle style) {
  TextTable table{{{study["x"].value("label", ""), Align::left}}, {}};
  std::vector<Json> places;  // in the order of the variants
  for (const Json& series : study["series"]) {
    const std::string measure = study["y"].value("label", "");
    table.columns.push_back({series["name"].get<std::string>() + (measure.empty() ? "" : " " + measure)});
    for (const Json& point : series["points"]) {
      if (std::find(places.begin(), places.end(), point["x"]) == places.end()) places.push_back(point["x"]);
    }
  }
  for (const Json& x : places) {
    std::vector<std::string> row{x.is_string() ? x.get<std::string>() : fmt::format("{}", x.get<double>())};
    for (const Json& series : study["series"]) row.push_back(cell_of(series, x));
    table.rows.push_back(std::move(row));
  }
  return style == TableStyle::markdown ? to_markdown(table) : to_text(table);
}

}  // namespace btm
