// How an error becomes a message and an exit code.
#pragma once

namespace btm {

// Within a handler: prints what was thrown, one line, to stderr; gives the exit code.
int tell_error();

}  // namespace btm
