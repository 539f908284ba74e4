#include "cli/error_report.h"

#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <new>
#include <string>

#include "btm/core/error.h"
#include "btm/core/log.h"
#include "btm/core/settings.h"

namespace btm {
namespace {

constexpr int kNotUtf8 = 316;  // of nlohmann's errors

int tell(const std::string& message, Cause cause) {
  print_stderr(fmt::format("btm: {}\n", message));
  return static_cast<int>(cause);
}

}  // namespace

int tell_error() {
  try {
    throw;
  } catch (const Error& e) {
    return tell(e.what(), e.cause());
  } catch (const std::bad_alloc&) {
    return tell("not enough memory; choose a smaller model, batch or number of workers", Cause::input);
  } catch (const std::filesystem::filesystem_error& e) {
    return tell(fmt::format("{}: {}", e.path1().string(), e.code().message()), Cause::input);
  } catch (const std::exception& e) {
    const auto* type_error = dynamic_cast<const Json::type_error*>(&e);
    if (type_error && type_error->id == kNotUtf8)  // names come from the command line or the disk as bytes
      return tell("a name or a path is not valid UTF-8, which JSON files can't hold; rename it", Cause::input);
    const std::string message = e.what();  // of a library: only the first line is for people, the rest is a backtrace
    return tell(message.substr(0, message.find('\n')), Cause::failed);
  }
}

}  // namespace btm
