#include "btm/report/plot_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "btm/report/markup.h"

namespace btm {
namespace {

constexpr int kColours = 8;  // of plot.css
constexpr double kLegendLine = 22, kKeyText = 20, kKeyGap = 18;
constexpr double kLabel = 36, kTick = 18, kTickGap = 8;  // of axes: text below, text left

}  // namespace

std::string style_class(int style) {
  return style < kColours ? fmt::format("s{}", style) : fmt::format("s{} d{}", style % kColours, style / kColours % 3);
}

std::string mark_at(double x, double y, int style) {
  constexpr const char* kShapes[] = {
      "m-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",  // circle
      "m-3.5,-3.5h7v7h-7z",                   // square
      "m0,-5l5,5l-5,5l-5,-5z",                // diamond
      "m0,-4.8l4.6,8h-9.2z",                  // triangle
      "m0,4.8l4.6,-8h-9.2z",                  // triangle, upside down
  };
  constexpr int kCount = std::size(kShapes);
  return fmt::format("M{},{}{}", pixels(x), pixels(y), kShapes[(style + style / kColours) % kCount]);
}

std::size_t key_of(std::vector<Key>& keys, const Key& key) {
  auto at = std::find_if(keys.begin(), keys.end(), [&key](const Key& known) { return known.name == key.name; });
  if (at == keys.end()) at = keys.insert(at, key);
  return static_cast<std::size_t>(at - keys.begin());
}

std::string series_of(const std::vector<Key>& keys, std::size_t key, const std::string& content) {
  return fmt::format("<g class=\"series {}{}\" data-key=\"{}\">\n{}</g>\n", style_class(keys[key].style),
                     keys[key].shown ? "" : " spare", key, content);
}

Block legend_of(const std::vector<Key>& keys, double width) {
  if (keys.size() < 2) return {};
  Block legend{"<g class=\"legend\">\n", kLegendLine};
  double x = 0, y = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Key& key = keys[i];
    double wide = kKeyText + text_width(key.name);
    if (x > 0 && x + wide > width) {
      x = 0;
      y += kLegendLine;
      legend.height += kLegendLine;
    }
    double middle = y + kLegendLine / 2;
    std::string sign = key.mark ? fmt::format("<path class=\"mark\" d=\"{}\"/>", mark_at(x + 7, middle, key.style))
                                : line_between(x, middle, x + 14, middle, "line");
    legend.content += fmt::format(
        "<g class=\"key {}{}\" data-key=\"{}\"><rect class=\"hit\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
        "rx=\"4\"/>{}{}</g>\n",
        style_class(key.style), key.shown ? "" : " spare", i, pixels(x - 4), pixels(y + 1), pixels(wide + 8),
        pixels(kLegendLine - 2), sign, text_at(x + kKeyText, middle + kHalfCapital, key.name));
    x += wide + kKeyGap;
  }
  legend.content += "</g>\n";
  return legend;
}

std::string horizontal_axis(const Scale& scale, const std::vector<double>& ticks, const std::string& label, double top,
                            double bottom) {
  constexpr double kTall = 500;  // from here on the ticks are named at both ends
  bool tall = bottom - top > kTall;
  std::string axis;
  for (double tick : ticks) {
    axis += line_between(scale.at(tick), top, scale.at(tick), bottom, "grid");
    for (double y : tall ? std::vector{bottom + kTick, top - kHalfCapital} : std::vector{bottom + kTick}) {
      axis += text_at(scale.at(tick), y, tick_text(tick), "class=\"tick\" text-anchor=\"middle\"");
    }
  }
  axis += line_between(scale.from, bottom, scale.to, bottom, "axis");
  return axis + text_at(scale.to, bottom + kLabel, label, "class=\"label\" text-anchor=\"end\"");
}

std::string vertical_axis(const Scale& scale, const std::vector<double>& ticks, const std::string& label, double left,
                          double right) {
  std::string axis;
  for (double tick : ticks) {
    axis += line_between(left, scale.at(tick), right, scale.at(tick), "grid");
    axis +=
        text_at(left - kTickGap, scale.at(tick) + kHalfCapital, tick_text(tick), "class=\"tick\" text-anchor=\"end\"");
  }
  return axis + text_at(0, scale.to - kTickGap - kHalfCapital, label, "class=\"label\"");
}

double widest_tick(const std::vector<double>& ticks) {
  double widest = 0;
  for (double tick : ticks) widest = std::max(widest, text_width(tick_text(tick)));
  return widest + kTickGap;
}

}  // namespace btm
