#include "btm/report/quality_text.h"

#include <fmt/format.h>

#include "btm/core/format.h"

namespace btm {

std::string perplexity_text(double value) {
  int digits = value < 100 ? 2 : value < 1000 ? 1 : 0;
  return value < 1e6 ? fmt::format("{:.{}f}", value, digits) : fmt::format("{:.2e}", value);
}

std::string bits_text(double value) {
  return fmt::format("{:.3f}", value);
}

std::string bytes_text(double value) {
  return format_count(value) + "B";
}

}  // namespace btm
