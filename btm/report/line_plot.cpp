#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "btm/report/markup.h"
#include "btm/report/plot.h"
#include "btm/report/plot_frame.h"

namespace btm {
namespace {

struct Values {
  std::vector<double> x, y;
};

Values values_of(const LinePlot& plot) {
  Values values;
  for (const Series& series : plot.series) {
    for (const Point& point : series.points) {
      values.x.push_back(point.x);
      values.y.insert(values.y.end(), {point.y - point.spread, point.y + point.spread});
    }
  }
  return values;
}

// The values of x themselves where they are few and far enough apart to be written: 1, 2, 4, 8 and not 1, 2, 5.
std::vector<double> ticks_across(const Scale& scale, std::vector<double> x) {
  constexpr std::size_t kMost = 10;
  constexpr int kTicks = 10;
  std::sort(x.begin(), x.end());
  x.erase(std::unique(x.begin(), x.end()), x.end());
  bool fit = !x.empty() && x.size() <= kMost;
  for (std::size_t i = 1; fit && i < x.size(); ++i) {
    double room = (text_width(tick_text(x[i - 1])) + text_width(tick_text(x[i]))) / 2 + 6;
    fit = scale.at(x[i]) - scale.at(x[i - 1]) > room;
  }
  return fit ? x : ticks_of(scale, kTicks);
}

std::string described(const Series& series, const LinePlot& plot, const Point& point) {
  std::string spread = point.spread > 0 ? fmt::format(" ± {:.3g}", point.spread) : "";
  return fmt::format("{}\n{}: {}\n{}: {:.5g}{}", series.name, plot.x.label, tick_text(point.x), plot.y.label, point.y,
                     spread);
}

std::string draw_series(const Series& series, const LinePlot& plot, const Scale& x, const Scale& y) {
  std::string path, marks;
  std::vector<Point> points = series.points;
  std::ranges::stable_sort(points, {}, &Point::x);  // a line goes one way
  for (const Point& point : points) {
    double at_x = x.at(point.x), at_y = y.at(point.y);
    path += fmt::format("{}{},{}", path.empty() ? "M" : "L", pixels(at_x), pixels(at_y));
    if (point.spread > 0) {
      marks += line_between(at_x, y.at(point.y - point.spread), at_x, y.at(point.y + point.spread), "spread");
    }
    marks += fmt::format("<path class=\"mark\" d=\"{}\">{}</path>\n", mark_at(at_x, at_y, series.style),
                         tooltip(described(series, plot, point)));
  }
  std::string content;
  if (series.drawn != Drawn::marks) {
    content += fmt::format("<path class=\"line{}\" d=\"{}\">{}</path>\n", series.faint ? " faint" : "", path,
                           tooltip(described(series, plot, points.back())));
  }
  return series.drawn == Drawn::line ? content : content + marks;
}

}  // namespace

Drawing draw(const LinePlot& plot) {
  constexpr double kHeight = 360;  // without legend and axes
  constexpr double kRight = 16, kAbove = 30, kLegendGap = 6;
  constexpr int kTicksUp = 6;
  std::vector<Key> keys;
  for (const Series& series : plot.series) {
    Key& key = keys[key_of(keys, {series.group, series.style, true, false})];
    key.mark = key.mark || series.drawn != Drawn::line;
  }
  Values values = values_of(plot);
  Block legend = legend_of(keys, kPlotWidth);
  double top = legend.height + kLegendGap + kAbove, bottom = top + kHeight;
  Scale y = plot.y.log ? scale_over(values.y, true, bottom, top) : tick_scale(values.y, kTicksUp, bottom, top);
  std::vector<double> up = ticks_of(y, kTicksUp);
  double left = widest_tick(up);
  Scale x = scale_over(values.x, plot.x.log, left, kPlotWidth - kRight);
  std::string content = legend.content + vertical_axis(y, up, plot.y.label, left, kPlotWidth - kRight) +
                        horizontal_axis(x, ticks_across(x, values.x), plot.x.label, bottom, bottom);
  for (const Series& series : plot.series) {
    if (series.points.empty()) continue;
    content += series_of(keys, key_of(keys, {series.group}), draw_series(series, plot, x, y));
  }
  return {plot.title, kPlotWidth, bottom + kBelowPlot, content};
}

}  // namespace btm
