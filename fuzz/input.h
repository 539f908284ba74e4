// What the fuzz targets share. A target is one function, LLVMFuzzerTestOneInput, over any bytes: what it calls gives a
// value or throws btm::Error; all else is a bug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "btm/core/error.h"

namespace btm::fuzz {

// Bytes as a file in memory.
class InputFile {
 public:
  explicit InputFile(std::string_view bytes);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  std::filesystem::path path() const;

 private:
  int descriptor_ = -1;
};

// Ends the process where `holds` is false, for the fuzzer to see.
void require(bool holds, const char* what);

// Calls read(bytes); btm::Error is an answer.
template <class F>
int value_or_error(const std::uint8_t* data, std::size_t size, F&& read) {
  try {
    read(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace btm::fuzz
