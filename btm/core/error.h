// The one exception type of the project.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace btm {

// What stopped the work; the value is the exit code of the program.
enum class Cause {
  failed = 1,         // something that should have worked did not (a worker died, a bug)
  input = 2,          // usage, configuration, files or the machine: the user can mend it
  interrupted = 130,  // a signal asked to stop, and everything is saved
};

// The message says what was found, where, and what to do, in one line without a final full stop.
class Error : public std::runtime_error {
 public:
  Error(Cause cause, const std::string& message) : std::runtime_error(message), cause_(cause) {}
  Cause cause() const { return cause_; }

 private:
  Cause cause_;
};

// throw input_error("{}: no such file", path) and the like.
template <class... Args>
Error input_error(fmt::format_string<Args...> format, Args&&... args) {
  return {Cause::input, fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
Error failure(fmt::format_string<Args...> format, Args&&... args) {
  return {Cause::failed, fmt::format(format, std::forward<Args>(args)...)};
}

// What f() gives; an Error that it throws gets "WHERE: " before its message.
template <class F>
auto with_context(std::string_view where, F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    throw Error(e.cause(), fmt::format("{}: {}", where, e.what()));
  }
}

}  // namespace btm
