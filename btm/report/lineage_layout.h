// Where the boxes of a lineage plot stand.
#pragma once

#include <map>
#include <vector>

#include "btm/report/lineage_plot.h"

namespace btm {

struct LineageColumn {
  double x = 0, width = 0;  // of its boxes
};

struct LineageLayout {
  std::map<int, LineageColumn> columns;  // by cycle
  std::vector<double> y;                 // top of each box
  double box_height = 0;
  double width = 0, bottom = 0;  // of all boxes
};

LineageLayout lay_out(const LineagePlot& plot);

}  // namespace btm
