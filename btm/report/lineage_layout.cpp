#include "btm/report/lineage_layout.h"

#include <algorithm>
#include <numeric>

#include "btm/report/markup.h"
#include "btm/report/plot_frame.h"

namespace btm {
namespace {

constexpr double kTop = 34, kBoxHeight = 20, kPitch = 26;  // below the headings; from box to box
constexpr double kPadding = 20, kPercent = 36;

std::map<int, std::vector<std::size_t>> boxes_of(const LineagePlot& plot) {
  std::map<int, std::vector<std::size_t>> columns;
  for (std::size_t i = 0; i < plot.boxes.size(); ++i) columns[plot.boxes[i].cycle].push_back(i);
  return columns;
}

// Mean height of what the box was branched from; `otherwise` for one with no parents among those placed.
double height_of_parents(const LineagePlot& plot, std::size_t box, const std::vector<double>& y, double otherwise) {
  double sum = 0, weights = 0;
  for (const LineageArrow& arrow : plot.arrows) {
    if (arrow.to != box || plot.boxes[arrow.from].cycle >= plot.boxes[box].cycle) continue;
    sum += arrow.weight * y[arrow.from];
    weights += arrow.weight;
  }
  return weights > 0 ? sum / weights : otherwise;
}

double box_width(const LineageBox& box) {
  return text_width(box.name) + kPadding + (box.taint > 0 ? kPercent : 0);
}

}  // namespace

LineageLayout lay_out(const LineagePlot& plot) {
  constexpr double kNarrowest = 90, kWidest = 190;   // boxes
  constexpr double kNarrowGap = 80, kWideGap = 280;  // between columns
  LineageLayout layout;
  layout.box_height = kBoxHeight;
  layout.y.resize(plot.boxes.size());
  auto columns = boxes_of(plot);
  std::size_t tallest = 0;
  double widths = 0;
  for (const auto& [cycle, boxes] : columns) {
    tallest = std::max(tallest, boxes.size());
    double width = kNarrowest;
    for (std::size_t box : boxes) width = std::max(width, box_width(plot.boxes[box]));
    layout.columns[cycle].width = std::min(width, kWidest);
    widths += layout.columns[cycle].width;
  }
  double gaps = std::max<double>(1, static_cast<double>(columns.size()) - 1);
  double gap = std::clamp((kPlotWidth - widths) / gaps, kNarrowGap, kWideGap);
  double height = kPitch * static_cast<double>(tallest), x = 1;
  for (auto& [cycle, boxes] : columns) {
    layout.columns[cycle].x = x;
    x += layout.columns[cycle].width + gap;
    std::vector<double> wanted(plot.boxes.size());
    for (std::size_t box : boxes) wanted[box] = height_of_parents(plot, box, layout.y, kTop + height / 2);
    std::stable_sort(boxes.begin(), boxes.end(),
                     [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b] - 1; });
    double y = kTop + (height - kPitch * static_cast<double>(boxes.size())) / 2;
    for (std::size_t box : boxes) {
      layout.y[box] = y;
      y += kPitch;
    }
  }
  layout.width = x - gap + 1;
  layout.bottom = kTop + height;
  return layout;
}

}  // namespace btm
