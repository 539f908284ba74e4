#include "btm/core/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "btm/core/error.h"

namespace btm {

MappedFile::MappedFile(const fs::path& path) {
  const int descriptor = open_to_read(path);
  size_ = file_size(descriptor);
  void* address = size_ ? ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0) : nullptr;
  int code = errno;
  ::close(descriptor);
  if (address == MAP_FAILED) throw input_error("{}: can't be mapped: {}", path.string(), std::strerror(code));
  data_ = static_cast<const char*>(address);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace btm
