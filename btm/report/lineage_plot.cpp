#include "btm/report/lineage_plot.h"

#include <fmt/format.h>

#include <algorithm>

#include "btm/report/lineage_layout.h"
#include "btm/report/markup.h"
#include "btm/report/plot_frame.h"

namespace btm {
namespace {

constexpr double kThin = 0.7, kThick = 6;        // lines of weight 0 and 1
constexpr double kFaint = 0.25, kStrong = 0.65;  // their opacities
constexpr double kTextLeft = 9, kBaseline = 14, kLegend = 46;

std::string ribbon(double x1, double y1, double x2, double y2, double weight, const std::string& attributes,
                   const std::string& text) {
  double bend = (x2 - x1) / 2;
  return fmt::format(
      "<path class=\"ribbon\" {} d=\"M{},{}C{},{} {},{} {},{}\" stroke-width=\"{:.1f}\" stroke-opacity=\"{:.2f}\">{}"
      "</path>\n",
      attributes, pixels(x1), pixels(y1), pixels(x1 + bend), pixels(y1), pixels(x2 - bend), pixels(y2), pixels(x2),
      pixels(y2), kThin + (kThick - kThin) * weight, kFaint + (kStrong - kFaint) * weight, text);
}

std::string arrows_of(const LineagePlot& plot, const LineageLayout& layout) {
  std::string arrows;
  for (const LineageArrow& arrow : plot.arrows) {
    if (arrow.weight < kFaintest) continue;
    const LineageBox &from = plot.boxes[arrow.from], &to = plot.boxes[arrow.to];
    const LineageColumn& source = layout.columns.at(from.cycle);
    double middle = layout.box_height / 2;
    arrows += ribbon(source.x + source.width, layout.y[arrow.from] + middle, layout.columns.at(to.cycle).x,
                     layout.y[arrow.to] + middle, std::min(arrow.weight, 1.0),
                     fmt::format("data-from=\"{}\" data-to=\"{}\"{}", arrow.from, arrow.to,
                                 from.state == BoxState::alive ? "" : " stroke-dasharray=\"4 3\""),
                     tooltip(fmt::format("{} → {}\nweight {:.3g}", from.name, to.name, arrow.weight)));
  }
  return arrows;
}

std::string frame(const LineageColumn& column, double y, double height, double share, const char* css_class) {
  return fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\"/>", css_class,
                     pixels(column.x), pixels(y), pixels(column.width * share), pixels(height));
}

std::string box_of(const LineageBox& box, std::size_t index, const LineageColumn& column, double y, double height) {
  bool tainted = box.state == BoxState::alive && box.taint > 0;
  const char* state = box.state == BoxState::removed     ? " removed"
                      : box.state == BoxState::elsewhere ? " elsewhere"
                      : tainted                          ? " tainted"
                      : box.cycle == 0                   ? " root"
                                                         : "";
  std::string percent = tainted ? fmt::format("{:.0f} %", 100 * box.taint) : "";
  double room = column.width - 2 * kTextLeft - text_width(percent);
  std::string text = tooltip(box.name + (box.note.empty() ? "" : "\n" + box.note)) + frame(column, y, height, 1, "box");
  if (tainted) text += frame(column, y, height, std::min(1.0, box.taint), "share");
  text += text_at(column.x + kTextLeft, y + kBaseline, shortened(box.name, room));
  if (tainted) {
    text += text_at(column.x + column.width - kTextLeft, y + kBaseline, percent, "class=\"tick\" text-anchor=\"end\"");
  }
  return fmt::format("<g class=\"node{}\" data-node=\"{}\">{}</g>\n", state, index, text);
}

struct Legend {
  std::string content;
  double width = 0;
};

// Widths of lines and the states, where there are any.
Legend legend_of(const LineagePlot& plot, double top) {
  Legend legend;
  double x = 1, middle = top + kLegend - 14;
  auto word = [&](const std::string& text) {
    legend.content += text_at(x, middle + 4, text, "class=\"tick\"");
    x += text_width(text) + 18;
  };
  for (double weight : {0.1, 0.5, 1.0}) {
    legend.content += ribbon(x, middle, x + 30, middle, weight, "", "");
    x += 36;
    word(fmt::format("{:g}", weight));
  }
  auto sample = [&](const LineageBox& box, const char* meaning) {
    const double width = box.taint > 0 ? 104 : 74;
    legend.content += box_of(box, plot.boxes.size(), {x, width}, middle - 10, 20);
    x += width + 8;
    word(meaning);
  };
  auto any = [&plot](auto&& test) { return std::any_of(plot.boxes.begin(), plot.boxes.end(), test); };
  auto any_in = [&any](BoxState state) { return any([state](const LineageBox& box) { return box.state == state; }); };
  if (any_in(BoxState::removed)) sample({"expert", 1, BoxState::removed, 0, ""}, "removed");
  if (any_in(BoxState::elsewhere)) sample({"expert", 1, BoxState::elsewhere, 0, ""}, "in another forest");
  if (any([](const LineageBox& box) { return box.state == BoxState::alive && box.taint > 0; })) {
    sample({"expert", 1, BoxState::alive, 0.4, ""}, "tainted: share that came from removed experts");
  }
  legend.width = x;
  return legend;
}

}  // namespace

Drawing draw(const LineagePlot& plot) {
  LineageLayout layout = lay_out(plot);
  std::string content = arrows_of(plot, layout);
  for (const auto& [cycle, column] : layout.columns) {
    content += text_at(column.x, 16, cycle == 0 ? "seed" : fmt::format("cycle {}", cycle), "class=\"heading\"");
  }
  for (std::size_t i = 0; i < plot.boxes.size(); ++i) {
    content += box_of(plot.boxes[i], i, layout.columns.at(plot.boxes[i].cycle), layout.y[i], layout.box_height);
  }
  Legend legend = legend_of(plot, layout.bottom);
  return {plot.title, std::max({kLeastPlotWidth, layout.width, legend.width}), layout.bottom + kLegend,
          content + legend.content};
}

}  // namespace btm
