// Whether somebody looks at a stream.
#pragma once

#include <cstdio>

namespace btm {

bool is_terminal(std::FILE* stream);
bool shows_colours(std::FILE* stream);  // a terminal, and NO_COLOR (no-color.org) isn't set

}  // namespace btm
