// Standard output, and what is wrong when it takes no more.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "btm/core/error.h"

namespace btm {

// A full disk is the user's to mend, a reader that has gone is nobody's.
inline Error output_error() {
  const int code = errno;
  return {code == EPIPE ? Cause::failed : Cause::input,
          fmt::format("standard output can't be written: {}", std::strerror(code))};
}

// At once, for who reads along. Throws output_error(): nobody sees what would come.
inline void write_out(std::string_view text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!whole || std::fflush(stdout) != 0) throw output_error();
}

}  // namespace btm
