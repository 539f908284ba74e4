#include "btm/core/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "btm/core/error.h"

namespace btm {

std::int64_t parse_count(std::string_view text) {
  double value = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  double factor = suffix.empty()                   ? 1
                  : suffix == "k" || suffix == "K" ? 1e3
                  : suffix == "M"                  ? 1e6
                  : suffix == "G" || suffix == "B" ? 1e9
                  : suffix == "T"                  ? 1e12
                                                   : 0;
  const double count = std::round(value * factor);
  // 4.1M is 4099999.9999999995 in doubles: a whole number up to their rounding.
  const bool whole = std::abs(value * factor - count) <= 1e-15 * std::abs(count);
  if (status != std::errc() || factor == 0 || !whole || std::abs(count) > 9e15) {
    throw input_error("'{}' is not a count; write for example 200, 16k, 4M or 1.5G", text);
  }
  return static_cast<std::int64_t>(count);
}

std::string did_you_mean(const std::string& nearest, const std::string& or_else) {
  if (!nearest.empty()) return fmt::format("; did you mean '{}'?", nearest);
  return or_else.empty() ? "" : "; " + or_else;
}

std::string format_count(double value) {
  const char* suffixes[] = {"", "k", "M", "G", "T", "P", "E"};
  int step = 0;
  while (std::abs(value) >= 999.5 && step < 6) {
    value /= 1000;
    ++step;
  }
  if (step == 0 && value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.3g}{}", value, suffixes[step]);
}

std::string counted(std::int64_t count, const std::string& thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string format_duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f}s", seconds);
  constexpr double kLongest = 1e15;  // in whole numbers
  auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, kLongest)));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole % 86400 / 3600);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t comma; (comma = text.find(',')) != text.npos; text.remove_prefix(comma + 1)) {
    parts.emplace_back(text.substr(0, comma));
  }
  parts.emplace_back(text);
  return parts;
}

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace btm
