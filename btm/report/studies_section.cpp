// A plot per study.
#include <fmt/format.h>

#include <algorithm>

#include "btm/report/figures.h"
#include "btm/report/markup.h"
#include "btm/report/model_styles.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

bool has_categories(const Json& study) {
  for (const Json& series : study.at("series")) {
    for (const Json& point : series.at("points")) {
      if (point.at("x").is_string()) return true;
    }
  }
  return false;
}

Axis axis_of(const Json& json) {
  return {json.at("label"), json.value("log", false)};
}

std::vector<int> styles_of(const Json& study) {
  std::vector<std::string> names;
  for (const Json& series : study.at("series")) names.push_back(series.at("name"));
  return model_styles(names);
}

LinePlot line_plot_of(const Json& study) {
  LinePlot plot{study.at("study"), axis_of(study.at("x")), axis_of(study.at("y")), {}};
  std::vector<int> styles = styles_of(study);
  for (const Json& json : study.at("series")) {
    Series series{json.at("name"), json.at("name"), styles[plot.series.size()], {}, Drawn::both};
    for (const Json& point : json.at("points")) {
      series.points.push_back({point.at("x"), point.at("y"), point.value("spread", 0.0)});
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

std::string category_of(const Json& point) {
  const Json& x = point.at("x");
  return x.is_string() ? x.get<std::string>() : x.dump();
}

DotPlot dot_plot_of(const Json& study) {
  DotPlot plot{study.at("study"), axis_of(study.at("y")), {}, {}};
  auto row_of = [&plot](const std::string& name) {
    return std::find_if(plot.rows.begin(), plot.rows.end(), [&name](const DotRow& row) { return row.name == name; });
  };
  for (const Json& series : study.at("series")) {
    for (const Json& point : series.at("points")) {
      if (row_of(category_of(point)) == plot.rows.end()) plot.rows.push_back({category_of(point), ""});
    }
  }
  std::vector<int> styles = styles_of(study);
  for (const Json& json : study.at("series")) {
    Dots dots{json.at("name"), styles[plot.series.size()], {}, true};
    dots.points.resize(plot.rows.size());
    for (const Json& point : json.at("points")) {
      auto row = static_cast<std::size_t>(row_of(category_of(point)) - plot.rows.begin());
      dots.points[row] = Point{point.at("y"), 0, point.value("spread", 0.0)};
    }
    plot.series.push_back(std::move(dots));
  }
  return plot;
}

}  // namespace

Section studies_section(const std::vector<Json>& studies) {
  Section section{"Studies", "", {}, {}};
  for (const Json& study : studies) {
    std::string name = "study-" + slug(study.at("study").get<std::string>());
    Figure figure = has_categories(study) ? figure_of(name, dot_plot_of(study)) : figure_of(name, line_plot_of(study));
    figure.caption = study.value("question", "");
    section.figures.push_back(std::move(figure));
  }
  return section;
}

}  // namespace btm
