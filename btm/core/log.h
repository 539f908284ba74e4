// Messages to people, on stderr; results go to stdout.
#pragma once

#include <string>

namespace btm {

enum class LogLevel { quiet, normal, verbose };

void set_log_level(LogLevel level);
LogLevel log_level();
void log_info(const std::string& message);
void log_warning(const std::string& message);
void log_detail(const std::string& message);  // shown with --verbose

}  // namespace btm
