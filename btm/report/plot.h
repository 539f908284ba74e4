// Plots as SVG: one drawing for the page and for files. Colours are classes of plot.css, so that both follow a dark
// screen; every mark has a tooltip; nothing but numbers is known of what is shown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "btm/report/drawing.h"

namespace btm {

struct Axis {
  std::string label;
  bool log = false;  // where all values are above 0
};

struct Point {
  double x = 0, y = 0;
  double spread = 0;  // half the height of its error bar
};

enum class Drawn { line, marks, both };

struct Series {
  std::string name;
  std::string group;  // its entry in the legend; series of one group are shown and hidden together
  int style = 0;      // colour, dashes and shape of the marks; 0 is grey
  std::vector<Point> points;
  Drawn drawn = Drawn::both;
  bool faint = false;  // one of many, or the background of another
};

struct LinePlot {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
};
Drawing draw(const LinePlot& plot);

struct DotRow {
  std::string name;
  std::string group;  // a heading above the first row of each group; empty: none
};

struct Dots {
  std::string name;
  int style = 0;
  std::vector<std::optional<Point>> points;  // [rows]; x is the value, spread lies along it
  bool shown = true;                         // else hidden in the page until asked for
};

// A row a category, a dot a series: many numbers of one unit side by side, without a zero that they would be far from.
struct DotPlot {
  std::string title;
  Axis value;
  std::vector<DotRow> rows;
  std::vector<Dots> series;
};
Drawing draw(const DotPlot& plot);

struct HeatMap {
  std::string title;
  std::vector<DotRow> rows;
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<double>>> values;  // [rows][columns], 0 to 1
};
Drawing draw(const HeatMap& plot);

}  // namespace btm
