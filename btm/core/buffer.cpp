#include "btm/core/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/on_exit.h"

namespace btm {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

Buffer::Buffer(std::size_t size) : size_(size) {
  std::size_t bytes = size * sizeof(float);
  if (bytes == 0) return;
  const std::size_t alignment = bytes < 2 * kHugePage ? kAlignment : kHugePage;
  bytes = (bytes + alignment - 1) / alignment * alignment;
  data_.reset(static_cast<float*>(std::aligned_alloc(alignment, bytes)));
  if (!data_) throw std::bad_alloc();
  if (alignment == kHugePage) ::madvise(data_.get(), bytes, MADV_HUGEPAGE);
  std::memset(data_.get(), 0, bytes);
}

Buffer Buffer::map(const std::filesystem::path& file, std::uint64_t offset, std::size_t size) {
  const int descriptor = open_to_read(file);
  const OnExit close([descriptor] { ::close(descriptor); });
  if (file_size(descriptor) < offset + size * sizeof(float)) {  // touched, what is not there would end the process
    throw input_error("{}: it has become shorter meanwhile; don't change models in use", file.string());
  }
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t before = offset % page;
  const std::size_t bytes = before + size * sizeof(float);
  void* mapping = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor,
                         static_cast<off_t>(offset - before));
  if (mapping == MAP_FAILED) throw input_error("{}: can't be mapped: {}", file.string(), std::strerror(errno));
  Buffer buffer;
  buffer.size_ = size;
  buffer.data_ = {reinterpret_cast<float*>(static_cast<char*>(mapping) + before), BufferRelease{mapping, bytes}};
  return buffer;
}

void Buffer::drop_pages() const {
  const BufferRelease& memory = data_.get_deleter();
  if (memory.mapping) ::madvise(memory.mapping, memory.bytes, MADV_DONTNEED);
}

void BufferRelease::operator()(float* p) const {
  if (mapping) {
    ::munmap(mapping, bytes);
  } else {
    std::free(p);
  }
}

}  // namespace btm
