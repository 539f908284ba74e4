#include "btm/report/figures.h"

#include <algorithm>

namespace btm {
namespace {

std::string spread_text(const Point& point) {
  return point.spread > 0 ? csv_number(point.spread) : "";
}

}  // namespace

Figure figure_of(const std::string& name, const LinePlot& plot) {
  std::string csv = csv_line({"series", plot.x.label, plot.y.label, "spread"});
  for (const Series& series : plot.series) {
    for (const Point& point : series.points) {
      csv += csv_line({series.name, csv_number(point.x), csv_number(point.y), spread_text(point)});
    }
  }
  Drawing drawing = draw(plot);
  return {name, plot.title, "", drawing, drawing, csv};
}

Figure figure_of(const std::string& name, const DotPlot& plot) {
  std::string csv = csv_line({"row", "series", plot.value.label, "spread"});
  for (const Dots& series : plot.series) {
    for (std::size_t i = 0; i < plot.rows.size(); ++i) {
      if (const auto& point = series.points[i]) {
        csv += csv_line({plot.rows[i].name, series.name, csv_number(point->x), spread_text(*point)});
      }
    }
  }
  DotPlot shown = plot;
  std::erase_if(shown.series, [](const Dots& series) { return !series.shown; });
  return {name, plot.title, "", draw(plot), draw(shown), csv};
}

Figure figure_of(const std::string& name, const HeatMap& plot) {
  std::string csv = csv_line({"domain", "expert", "weight"});
  for (std::size_t i = 0; i < plot.rows.size(); ++i) {
    for (std::size_t j = 0; j < plot.columns.size(); ++j) {
      if (auto value = plot.values[i][j]) csv += csv_line({plot.rows[i].name, plot.columns[j], csv_number(*value)});
    }
  }
  Drawing drawing = draw(plot);
  return {name, plot.title, "", drawing, drawing, csv};
}

Figure figure_of(const std::string& name, const LineagePlot& plot) {
  std::string csv = csv_line({"parent", "child", "weight"});
  for (const LineageArrow& arrow : plot.arrows) {
    csv += csv_line({plot.boxes[arrow.from].name, plot.boxes[arrow.to].name, csv_number(arrow.weight)});
  }
  Drawing drawing = draw(plot);
  return {name, plot.title, "", drawing, drawing, csv};
}

}  // namespace btm
