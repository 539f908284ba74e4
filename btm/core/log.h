// Messages to people, on stderr; results go to stdout.
#pragma once

#include <string>
#include <string_view>

namespace btm {

enum class LogLevel { quiet, normal, verbose };

void set_log_level(LogLevel level);
LogLevel log_level();
void log_info(const std::string& message);
void log_warning(const std::string& message);
void log_detail(const std::string& message);  // shown with --verbose

// To stderr, as it is. What can't be written is lost: a full disk under a log ends no training.
void print_stderr(std::string_view text);

}  // namespace btm
