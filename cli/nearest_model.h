// The model that a name which is no model's was most likely meant to be.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "btm/core/format.h"

namespace btm {

// The first of the comparison of that name (NAME/MODEL), else the nearest; "" if none is near enough.
inline std::string nearest_model(const std::string& name, const std::vector<std::string>& known) {
  auto inside = std::ranges::find_if(known, [&name](const std::string& each) { return each.starts_with(name + "/"); });
  return inside != known.end() ? *inside : nearest_word(name, known);
}

}  // namespace btm
