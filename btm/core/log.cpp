#include "btm/core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>

#include "btm/core/terminal.h"

namespace btm {
namespace {

spdlog::logger& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made = spdlog::stderr_color_mt(
        "btm", shows_colours(stderr) ? spdlog::color_mode::automatic : spdlog::color_mode::never);
    made->set_pattern("%^%v%$");
    return made;
  }();
  return *instance;
}

}  // namespace

void set_log_level(LogLevel level) {
  logger().set_level(level == LogLevel::quiet    ? spdlog::level::err
                     : level == LogLevel::normal ? spdlog::level::info
                                                 : spdlog::level::debug);
}

LogLevel log_level() {
  switch (logger().level()) {
    case spdlog::level::err:
      return LogLevel::quiet;
    case spdlog::level::debug:
      return LogLevel::verbose;
    default:
      return LogLevel::normal;
  }
}

void log_info(const std::string& message) {
  logger().log(spdlog::level::info, message);
}
void log_warning(const std::string& message) {
  logger().warn("warning: {}", message);
}
void log_detail(const std::string& message) {
  logger().debug(message);
}

void print_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace btm
