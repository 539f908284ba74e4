// What all plots share: legend, axes, marks.
#pragma once

#include <string>
#include <vector>

#include "btm/report/scale.h"

namespace btm {

// Pixels.
constexpr double kPlotWidth = 960, kLeastPlotWidth = 720;
constexpr double kBelowPlot = 44;   // for the ticks and the label of a horizontal axis
constexpr double kHalfCapital = 4;  // from the middle of a line of text to its baseline

std::string style_class(int style);  // "s3", or "s3 d1" after the first round through the colours

std::string mark_at(double x, double y, int style);  // a path around (x, y); the shape goes with the style

struct Key {
  std::string name;
  int style = 0;
  bool shown = true;
  bool mark = true;  // else a piece of line
};

// The number of the key of that name, added if it is new.
std::size_t key_of(std::vector<Key>& keys, const Key& key);

// <g class="series ..." data-key=...>; what hangs together with an entry of the legend.
std::string series_of(const std::vector<Key>& keys, std::size_t key, const std::string& content);

struct Block {
  std::string content;
  double height = 0;
};

// In lines from (0, 0) on; no height if a single entry would say what the title says.
Block legend_of(const std::vector<Key>& keys, double width);

// Horizontal: grid lines from `top` to `bottom`, tick texts and the label below. Vertical: grid lines from `left` to
// `right`, tick texts left of them, the label above.
std::string horizontal_axis(const Scale& scale, const std::vector<double>& ticks, const std::string& label, double top,
                            double bottom);
std::string vertical_axis(const Scale& scale, const std::vector<double>& ticks, const std::string& label, double left,
                          double right);

double widest_tick(const std::vector<double>& ticks);  // pixels

}  // namespace btm
