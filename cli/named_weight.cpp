#include "cli/named_weight.h"

#include <cmath>
#include <cstdlib>

#include "btm/core/error.h"

namespace btm {

NamedWeight parse_named_weight(const std::string& text) {
  const auto equals = text.rfind('=');
  if (equals == std::string::npos) return {text, {}};
  const std::string number = text.substr(equals + 1);
  char* end = nullptr;
  const double weight = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != 0 || !std::isfinite(weight) || weight < 0) {
    throw input_error("{}: \"{}\" is not a weight; write NAME=WEIGHT with a number >= 0", text, number);
  }
  return {text.substr(0, equals), weight};
}

}  // namespace btm
