// What commands that grow a forest hand to it.
#pragma once

#include <filesystem>

#include "btm/plan/grow.h"

namespace btm {

// Workers are this program.
inline GrowOptions grow_options(bool quiet) {
  return {.program = std::filesystem::read_symlink("/proc/self/exe"), .quiet = quiet};
}

}  // namespace btm
