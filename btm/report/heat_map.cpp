#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "btm/report/markup.h"
#include "btm/report/plot.h"
#include "btm/report/plot_frame.h"

namespace btm {
namespace {

constexpr double kWidestLabel = 170, kLabelGap = 8;
constexpr double kRoomForText = 36;  // cells as wide as this name their value
constexpr double kUnseen = 0.001;    // values below are left blank
constexpr double kDegrees = 3.14159265358979 / 180;

struct HeatMapLayout {
  double left = 0, top = 0, cell_width = 0, cell_height = 0, bottom = 0, width = 0;
  double angle = 0;  // of the column names
  std::vector<double> y;
};

HeatMapLayout lay_out(const HeatMap& plot) {
  constexpr double kNarrowest = 14, kWidest = 84, kTallest = 26;  // of cells
  constexpr double kGroupHeading = 24;
  HeatMapLayout layout;
  double widest_row = 0, widest_column = 0;
  for (const DotRow& row : plot.rows) widest_row = std::max(widest_row, text_width(row.name));
  for (const std::string& column : plot.columns) widest_column = std::max(widest_column, text_width(column));
  layout.left = std::min(widest_row, kWidestLabel) + kLabelGap;
  auto count = static_cast<double>(plot.columns.size());
  layout.cell_width = std::clamp((kPlotWidth - layout.left) / (count + 1), kNarrowest, kWidest);
  layout.cell_height = std::min(layout.cell_width, kTallest);
  layout.angle = widest_column < layout.cell_width - 4 ? 0 : layout.cell_width < 20 ? 90 : 50;
  double name = std::min(widest_column, kWidestLabel);
  layout.top = kLabelGap + std::max(14.0, name * std::sin(layout.angle * kDegrees) + 8);
  double over = name * std::cos(layout.angle * kDegrees);
  layout.width =
      std::max(kLeastPlotWidth, layout.left + layout.cell_width * count + (layout.angle > 0 ? over : 0) + kLabelGap);
  layout.bottom = layout.top;
  std::string group;
  for (const DotRow& row : plot.rows) {
    if (row.group != group) layout.bottom += kGroupHeading;
    group = row.group;
    layout.y.push_back(layout.bottom);
    layout.bottom += layout.cell_height;
  }
  return layout;
}

// Small weights matter: the area of ink grows with the root.
double opacity(double value) {
  return std::sqrt(std::clamp(value, 0.0, 1.0));
}

std::string rectangle(double x, double y, double width, double height, const std::string& rest) {
  return fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\" {}\n", pixels(x), pixels(y),
                     pixels(width), pixels(height), rest);
}

std::string cells_of(const HeatMap& plot, const HeatMapLayout& layout) {
  std::string cells;
  double wide = layout.cell_width - 2, high = layout.cell_height - 2;
  for (std::size_t i = 0; i < plot.rows.size(); ++i) {
    for (std::size_t j = 0; j < plot.columns.size(); ++j) {
      double x = layout.left + layout.cell_width * static_cast<double>(j), y = layout.y[i];
      cells += rectangle(x, y, wide, high, "class=\"blank\"/>");
      double value = plot.values[i][j].value_or(0);
      if (value < kUnseen) continue;
      std::string text = fmt::format("{}\n{}: {:.3f}", plot.rows[i].name, plot.columns[j], value);
      cells +=
          rectangle(x, y, wide, high,
                    fmt::format("class=\"cell\" fill-opacity=\"{:.2f}\">{}</rect>", opacity(value), tooltip(text)));
      if (layout.cell_width < kRoomForText || value < 0.005) continue;
      const char* ink = opacity(value) > 0.6 ? "class=\"number on\" text-anchor=\"middle\""
                                             : "class=\"number\" text-anchor=\"middle\"";
      cells += text_at(x + wide / 2, y + high / 2 + kHalfCapital, fmt::format("{:.2f}", value), ink);
    }
  }
  return cells;
}

std::string names_of(const HeatMap& plot, const HeatMapLayout& layout) {
  std::string names, group;
  for (std::size_t i = 0; i < plot.rows.size(); ++i) {
    const DotRow& row = plot.rows[i];
    if (row.group != group) names += text_at(0, layout.y[i] - 8, row.group, "class=\"heading\"");
    group = row.group;
    names += text_at(layout.left - kLabelGap, layout.y[i] + layout.cell_height / 2 + kHalfCapital - 1,
                     shortened(row.name, kWidestLabel), "text-anchor=\"end\"");
  }
  for (std::size_t j = 0; j < plot.columns.size(); ++j) {
    double x = layout.left + layout.cell_width * (static_cast<double>(j) + 0.5), y = layout.top - 8;
    if (layout.angle > 0) x += kHalfCapital;
    std::string turn = layout.angle > 0
                           ? fmt::format("transform=\"rotate(-{} {} {})\"", layout.angle, pixels(x), pixels(y))
                           : "text-anchor=\"middle\"";
    names += text_at(x, y, shortened(plot.columns[j], kWidestLabel), turn);
  }
  return names;
}

std::string scale_of(const HeatMapLayout& layout) {
  constexpr double kSample = 44;
  std::string scale;
  double x = layout.left;
  for (double value : {0.01, 0.05, 0.2, 0.5, 1.0}) {
    scale += rectangle(x, layout.bottom + 14, kSample - 2, 8,
                       fmt::format("class=\"cell\" fill-opacity=\"{:.2f}\"/>", opacity(value)));
    scale += text_at(x + kSample / 2 - 1, layout.bottom + 36, fmt::format("{:g}", value),
                     "class=\"tick\" text-anchor=\"middle\"");
    x += kSample;
  }
  return scale;
}

}  // namespace

Drawing draw(const HeatMap& plot) {
  HeatMapLayout layout = lay_out(plot);
  return {plot.title, layout.width, layout.bottom + 44,
          names_of(plot, layout) + cells_of(plot, layout) + scale_of(layout)};
}

}  // namespace btm
