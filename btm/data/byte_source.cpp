#include "btm/data/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/interrupt.h"

namespace btm {
namespace {

class File : public ByteSource {
 public:
  explicit File(std::string name) : name_(std::move(name)) {
    descriptor_ = open_to_read(name_);
    ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
    struct stat status {};
    waits_ = ::fstat(descriptor_, &status) == 0 && !S_ISREG(status.st_mode);
  }
  ~File() override { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::size_t read(std::span<char> out) override {
    if (waits_) wait();
    ssize_t n;
    do {
      n = ::read(descriptor_, out.data(), out.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0) throw input_error("{}: can't be read: {}", name_, std::strerror(errno));
    position_ += n;
    return static_cast<std::size_t>(n);
  }

  std::int64_t position() const override { return position_; }

 private:
  // For what a pipe or a terminal has next, or for a signal.
  void wait() const {
    constexpr int kMilliseconds = 200;
    pollfd state{descriptor_, POLLIN, 0};
    while (::poll(&state, 1, kMilliseconds) <= 0) throw_if_interrupted();
  }

  std::string name_;
  int descriptor_;
  bool waits_;
  std::int64_t position_ = 0;
};

}  // namespace

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension;
}

std::unique_ptr<ByteSource> open_source(const std::filesystem::path& path) {
  auto file = std::make_unique<File>(path.string());
  const std::string extension = lower_extension(path);
  if (extension == ".gz") return unpack_gzip(std::move(file), path.string());
  if (extension == ".zst") return unpack_zstd(std::move(file), path.string());
  return file;
}

std::string read_standard_input() {
  const auto source = open_source(kStandardInput);
  std::string bytes;
  char block[1 << 16];
  while (const std::size_t n = source->read(block)) bytes.append(block, n);
  return bytes;
}

}  // namespace btm
