#include "btm/plan/study_results.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm {
namespace {

// "0.5" is a number, "uniform" a word.
Json as_value(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && std::isfinite(number) ? Json(number) : Json(text);
}

// Of all series; "": each has its own.
std::string measure_of(const Study& study) {
  const std::string& first = study.series.front().measure;
  const bool same =
      std::ranges::all_of(study.series, [&first](const StudySeries& each) { return each.measure == first; });
  return same ? first : "";
}

// null if the variant has no such row or domain.
Json value_of(const Json& evaluation, const StudySeries& series) {
  for (const Json& row : evaluation["rows"]) {
    if (row["model"] != series.row) continue;
    for (const char* part : {"mean", "domains"}) {
      if (row[part].contains(series.domains) && row[part][series.domains].is_object()) {
        return row[part][series.domains].value(series.measure, Json());
      }
    }
  }
  return nullptr;
}

Json point_of(const StudyVariant& variant, const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  Json point = {{"x", place_of(variant)}, {"y", mean}};
  if (values.size() > 1) {
    double squares = 0;
    for (double value : values) squares += (value - mean) * (value - mean);
    point["spread"] = std::sqrt(squares / (count - 1));
  }
  return point;
}

// What the variant shows in place of the series.
StudySeries seen_by(const StudyVariant& variant, StudySeries series) {
  if (!variant.row.empty()) series.row = variant.row;
  if (!variant.domains.empty()) series.domains = variant.domains;
  return series;
}

// The line of that name, which is made if it is not there yet.
Json& line_of(Json& lines, const std::string& name) {
  for (Json& line : lines) {
    if (line["name"] == name) return line;
  }
  return lines.emplace_back(Json{{"name", name}, {"points", Json::array()}});
}

// Rows, domains and measures that no variant has are mistakes of the study.
void check_shown(const StudySeries& series, const std::vector<GrownVariant>& grown, bool shown) {
  if (shown || grown.empty()) return;
  std::set<std::string> rows;
  for (const GrownVariant& each : grown) {
    for (const Json& row : each.evaluation["rows"]) rows.insert(row["model"].get<std::string>());
  }
  throw input_error(
      "series: no forest of the study has {} of row {} on {}; the rows are {}, on train, novel, all or a "
      "domain",
      series.measure, series.row, series.domains, fmt::join(rows, ", "));
}

void add_points(Json& lines, const Study& study, const StudySeries& series, const std::vector<GrownVariant>& grown) {
  bool shown = false;
  for (const StudyVariant& variant : study.variants) {
    std::vector<double> values;
    for (const GrownVariant& each : grown) {
      if (each.variant != variant.name) continue;
      if (Json value = value_of(each.evaluation, seen_by(variant, series)); value.is_number()) values.push_back(value);
    }
    if (values.empty()) continue;
    shown = true;
    line_of(lines, variant.series.empty() ? label_of(study, series) : variant.series)["points"].push_back(
        point_of(variant, values));
  }
  check_shown(series, grown, shown);
}

}  // namespace

Json place_of(const StudyVariant& variant) {
  return as_value(variant.x.empty() ? variant.name : variant.x);
}

std::string label_of(const Study& study, const StudySeries& series) {
  const bool own_rows = std::ranges::none_of(study.variants, &std::string::empty, &StudyVariant::row);
  return fmt::format("{}{}{}", own_rows ? "" : series.row + ", ", series.domains,
                     measure_of(study).empty() ? ", " + series.measure : "");
}

Json study_results(const Study& study, const std::vector<GrownVariant>& grown) {
  Json json = {{"study", study.study}, {"question", study.question}};
  json["x"] = {{"label", study.x_label}, {"log", study.log_x}};
  json["y"] = {{"label", measure_of(study)}};
  json["series"] = Json::array();
  for (const StudySeries& series : study.series) add_points(json["series"], study, series, grown);
  json["variants"] = Json::array();
  for (const GrownVariant& each : grown) {
    json["variants"].push_back({{"name", each.variant}, {"forest", each.forest.string()}});
  }
  return json;
}

}  // namespace btm
