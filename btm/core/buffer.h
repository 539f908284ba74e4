// A float array aligned for SIMD, allocated once and owned; or one that lies in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace btm {

// What a buffer's memory is given back by.
struct BufferRelease {
  void* mapping = nullptr;  // whole pages around the floats; null: allocated
  std::size_t bytes = 0;
  void operator()(float* p) const;
};

class Buffer {
 public:
  static constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector

  Buffer() = default;
  explicit Buffer(std::size_t size);  // zeroed; large ones ask for huge pages

  // The floats from byte `offset` of the file on, without a copy: pages are read when first touched, writes to them
  // stay in this process. `offset` is a multiple of sizeof(float). Throws Error(input) naming the file.
  static Buffer map(const std::filesystem::path& file, std::uint64_t offset, std::size_t size);

  bool mapped() const { return data_.get_deleter().mapping != nullptr; }
  // Gives a mapping's memory back; what is touched again is read from the file again (and what was written is lost).
  void drop_pages() const;

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::span<float> span() { return {data(), size_}; }
  std::span<const float> span() const { return {data(), size_}; }

 private:
  std::unique_ptr<float[], BufferRelease> data_;
  std::size_t size_ = 0;
};

}  // namespace btm
