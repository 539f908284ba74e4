// The value of an option that is one of an enum's words.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm {

// Throws Error(input) that lists the words and names the nearest.
template <class Enum>
Enum parse_enum(const std::string& option, const std::string& word) {
  std::vector<std::string> known;
  for (const auto& [value, name] : names(Enum{})) {
    if (name == word) return value;
    known.emplace_back(name);
  }
  std::string near = nearest_word(word, known);
  throw input_error("{} {}: there are {}{}", option, word, fmt::join(known, ", "),
                    near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

}  // namespace btm
