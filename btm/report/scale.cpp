#include "btm/report/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "btm/core/format.h"

namespace btm {
namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
};

// Cut to what has a ratio.
double plotted(double value) {
  constexpr double kLargest = 1e150, kLeast = 1e-150;
  return std::abs(value) < kLeast ? 0 : std::clamp(value, -kLargest, kLargest);
}

Range range_of(std::span<const double> values) {
  constexpr double kRounding = 1e-9;  // a share of the numbers that makes no range
  Range range;
  for (double value : values) {
    if (!std::isfinite(value)) continue;
    range.low = std::min(range.low, plotted(value));
    range.high = std::max(range.high, plotted(value));
  }
  if (range.low > range.high) return {0, 1};
  if (range.high - range.low <= kRounding * std::max(std::abs(range.low), std::abs(range.high))) {
    double room = range.low == 0 ? 1 : std::abs(range.low) / 10;
    return {range.low - room, range.high + room};
  }
  return range;
}

// The least of 1, 2, 5, 10, ... that cuts the width into `count` steps at most.
double step_of(double width, int count) {
  double raw = width / std::max(1, count);
  double power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::vector<double> linear_ticks(double low, double high, int count) {
  const double step = step_of(high - low, count), first = std::ceil(low / step - 1e-6);
  std::vector<double> ticks;
  for (int i = 0; i <= 10 * count && (first + i) * step <= high + 1e-6 * step; ++i) ticks.push_back((first + i) * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int count) {
  bool decades = std::log10(high / low) * 3 > count;
  std::vector<double> ticks;
  for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
    for (double factor : {1.0, 2.0, 5.0}) {
      double tick = factor * power;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9) && (factor == 1.0 || !decades)) ticks.push_back(tick);
    }
  }
  constexpr std::size_t kFewest = 3;
  return ticks.size() < kFewest ? linear_ticks(low, high, count) : ticks;
}

}  // namespace

double Scale::at(double value) const {
  double share = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return from + share * (to - from);
}

Scale scale_over(std::span<const double> values, bool log, double from, double to) {
  constexpr double kRoom = 0.03;  // of the range, at both ends
  Range range = range_of(values);
  if (log && range.low > 0) {
    double room = std::pow(range.high / range.low, kRoom);
    return {range.low / room, range.high * room, from, to, true};
  }
  double room = kRoom * (range.high - range.low);
  return {range.low - room, range.high + room, from, to, false};
}

Scale tick_scale(std::span<const double> values, int count, double from, double to) {
  Range range = range_of(values);
  double step = step_of(range.high - range.low, count);
  return {std::floor(range.low / step) * step, std::ceil(range.high / step) * step, from, to, false};
}

std::vector<double> ticks_of(const Scale& scale, int count) {
  return scale.log ? log_ticks(scale.low, scale.high, count) : linear_ticks(scale.low, scale.high, count);
}

std::string tick_text(double value) {
  constexpr double kRoundingError = 1e-12, kLongest = 10'000;
  if (std::abs(value) < kRoundingError) return "0";
  return std::abs(value) < kLongest ? fmt::format("{:.6g}", value) : format_count(value);
}

}  // namespace btm
