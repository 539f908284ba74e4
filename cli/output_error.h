// What is wrong when standard output takes no more.
#pragma once

#include <cerrno>
#include <cstring>

#include "btm/core/error.h"

namespace btm {

inline Error output_error() {
  return failure("standard output can't be written: {}", std::strerror(errno));
}

}  // namespace btm
