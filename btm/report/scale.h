// From values to pixels, and the values that an axis names.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace btm {

struct Scale {
  double low = 0, high = 1;  // values at the two ends
  double from = 0, to = 1;   // pixels there; from > to for an axis that goes up
  bool log = false;
  double at(double value) const;  // in pixels
};

// Takes all finite `values` in, with some room at both ends. Logarithmic only if all are above 0; where they are all
// the same (or none is given) the scale has a range around it.
Scale scale_over(std::span<const double> values, bool log, double from, double to);

// The same, linear, from one whole tick to another (of about `count`).
Scale tick_scale(std::span<const double> values, int count, double from, double to);

std::vector<double> ticks_of(const Scale& scale, int count);  // about `count`, ascending: 1, 2 or 5 times powers of ten

std::string tick_text(double value);  // "0.25", "40", "1.5M"

}  // namespace btm
