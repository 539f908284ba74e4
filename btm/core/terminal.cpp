#include "btm/core/terminal.h"

#include <unistd.h>

#include <cstdlib>

namespace btm {

bool is_terminal(std::FILE* stream) {
  return ::isatty(::fileno(stream)) == 1;
}

bool shows_colours(std::FILE* stream) {
  const char* none = std::getenv("NO_COLOR");
  return is_terminal(stream) && !(none && *none);
}

}  // namespace btm
