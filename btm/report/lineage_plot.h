// Who was branched from whom, from left to right.
#pragma once

#include <string>
#include <vector>

#include "btm/report/drawing.h"

namespace btm {

enum class BoxState {
  alive,
  removed,
  elsewhere,  // an ancestor that was never in this forest
};

struct LineageBox {
  std::string name;
  int cycle = 0;  // its column
  BoxState state = BoxState::alive;
  double taint = 0;  // 0 to 1: the part of the box that is filled
  std::string note;  // lines of the tooltip below the name
};

struct LineageArrow {
  std::size_t from = 0, to = 0;  // boxes
  double weight = 0;
};

struct LineagePlot {
  std::string title;
  std::vector<LineageBox> boxes;
  std::vector<LineageArrow> arrows;
};

inline constexpr double kFaintest = 0.02;  // arrows of less weight are not drawn

// A column a cycle; boxes of a column in the order of their parents, so that few arrows cross.
Drawing draw(const LineagePlot& plot);

}  // namespace btm
