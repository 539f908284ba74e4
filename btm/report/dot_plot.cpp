#include <fmt/format.h>

#include <algorithm>

#include "btm/report/markup.h"
#include "btm/report/plot.h"
#include "btm/report/plot_frame.h"

namespace btm {
namespace {

constexpr double kRowHeight = 24, kHeading = 26;

std::vector<double> values_of(const DotPlot& plot) {
  std::vector<double> values;
  for (const Dots& series : plot.series) {
    for (const auto& point : series.points) {
      if (point) values.insert(values.end(), {point->x - point->spread, point->x + point->spread});
    }
  }
  return values;
}

struct Rows {
  std::vector<double> y;  // middle of each
  std::string headings;
  double bottom = 0;
};

Rows rows_of(const DotPlot& plot, double top) {
  Rows rows{{}, "", top};
  std::string group;
  for (const DotRow& row : plot.rows) {
    if (row.group != group) {
      rows.headings += text_at(0, rows.bottom + kHeading - 9, row.group, "class=\"heading\"");
      rows.bottom += kHeading;
      group = row.group;
    }
    rows.y.push_back(rows.bottom + kRowHeight / 2);
    rows.bottom += kRowHeight;
  }
  return rows;
}

std::string dot(const DotPlot& plot, const Dots& series, std::size_t row, const Scale& scale, double y) {
  const Point& point = *series.points[row];
  std::string bar, spread;
  if (point.spread > 0) {
    spread = fmt::format(" ± {:.3g}", point.spread);
    bar = line_between(scale.at(point.x - point.spread), y, scale.at(point.x + point.spread), y, "spread");
  }
  std::string text =
      fmt::format("{}\n{}\n{}: {:.5g}{}", plot.rows[row].name, series.name, plot.value.label, point.x, spread);
  return fmt::format("{}<path class=\"mark\" d=\"{}\">{}</path>\n", bar, mark_at(scale.at(point.x), y, series.style),
                     tooltip(text));
}

}  // namespace

Drawing draw(const DotPlot& plot) {
  constexpr double kRight = 24, kAbove = 20, kWidestName = 190, kNameGap = 14;
  constexpr int kTicks = 10;
  std::vector<Key> keys;
  for (const Dots& series : plot.series) keys.push_back({series.name, series.style, series.shown});
  Block legend = legend_of(keys, kPlotWidth);
  Rows rows = rows_of(plot, legend.height + kAbove);
  double left = 0;
  for (const DotRow& row : plot.rows) left = std::max(left, text_width(row.name));
  left = std::min(left, kWidestName) + kNameGap;
  Scale scale = scale_over(values_of(plot), plot.value.log, left, kPlotWidth - kRight);
  std::string content =
      legend.content + rows.headings +
      horizontal_axis(scale, ticks_of(scale, kTicks), plot.value.label, legend.height + kAbove, rows.bottom);
  for (std::size_t i = 0; i < plot.rows.size(); ++i) {
    content += line_between(left, rows.y[i], kPlotWidth - kRight, rows.y[i], "row");
    content += text_at(left - kNameGap, rows.y[i] + kHalfCapital, shortened(plot.rows[i].name, kWidestName),
                       "text-anchor=\"end\"");
  }
  for (std::size_t k = plot.series.size(); k-- > 0;) {  // the first on top
    std::string dots;
    for (std::size_t i = 0; i < plot.rows.size(); ++i) {
      if (plot.series[k].points[i]) dots += dot(plot, plot.series[k], i, scale, rows.y[i]);
    }
    content += series_of(keys, k, dots);
  }
  return {plot.title, kPlotWidth, rows.bottom + kBelowPlot, content};
}

}  // namespace btm
