// Counts that options give.
#pragma once

#include <cstdint>
#include <string>

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm {

// parse_count, whose error names the option.
inline std::int64_t count_option(const char* name, const std::string& text) {
  return with_context(name, [&] { return parse_count(text); });
}

}  // namespace btm
