// NAME=WEIGHT, as options that weigh models take it.
#pragma once

#include <optional>
#include <string>

namespace btm {

struct NamedWeight {
  std::string name;
  std::optional<double> weight;  // finite and 0 or more
};

// "python=0.7", or "python" alone; the last = counts. Throws Error(input) if what is behind it is no weight.
NamedWeight parse_named_weight(const std::string& text);

}  // namespace btm
