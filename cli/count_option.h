// Counts that options give.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm {

// parse_count, whose error names the option.
inline std::int64_t count_option(const char* name, const std::string& text) {
  try {
    return parse_count(text);
  } catch (const Error& e) {
    throw Error(e.cause(), fmt::format("{}: {}", name, e.what()));
  }
}

}  // namespace btm
