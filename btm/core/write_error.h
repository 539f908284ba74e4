// Why a file can't be written, and what to do.
#pragma once

#include <filesystem>

#include "btm/core/error.h"

namespace btm {

// The system's reason for `code`, an errno, with what to do about it.
std::string write_reason(int code);

// Error(input) out of errno: that the file can't be written, why, and what to do.
Error write_error(const std::filesystem::path& path);

}  // namespace btm
