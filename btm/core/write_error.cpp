#include "btm/core/write_error.h"

#include <cerrno>
#include <cstring>

namespace btm {

std::string write_reason(int code) {
  if (code == ENOSPC || code == EDQUOT) return "no space left on the device; free some and run the command again";
  if (code == EROFS || code == EACCES || code == EPERM) {
    return fmt::format("{}; choose a folder that can be written", std::strerror(code));
  }
  return std::strerror(code);
}

Error write_error(const std::filesystem::path& path) {
  return input_error("{}: can't be written: {}", path.string(), write_reason(errno));
}

}  // namespace btm
