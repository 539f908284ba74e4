// A file as memory.
#pragma once

#include <string_view>

#include "btm/core/files.h"

namespace btm {

// Read-only memory map of a whole file. Throws Error(input).
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace btm
