#include "fuzz/input.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace btm::fuzz {

InputFile::InputFile(std::string_view bytes) : descriptor_(::memfd_create("input", MFD_CLOEXEC)) {
  const auto size = static_cast<ssize_t>(bytes.size());
  require(descriptor_ >= 0 && ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == size, "no file in memory");
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

std::filesystem::path InputFile::path() const {
  return fmt::format("/proc/self/fd/{}", descriptor_);
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

}  // namespace btm::fuzz
