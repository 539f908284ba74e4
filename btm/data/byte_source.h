// A file's bytes as a stream, unpacked on the way: plain, .gz and .zst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace btm {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills the start of `out` and says how much of it; 0 only at the end. Throws Error(input) with the file's name:
  // unreadable, truncated or corrupt.
  virtual std::size_t read(std::span<char> out) = 0;
  virtual std::int64_t position() const = 0;  // bytes of the file taken so far, as packed
};

// ".GZ" as ".gz".
std::string lower_extension(const std::filesystem::path& path);

// The packing is known by the name's ending. Memory: a block, and the window that a .zst asks for (up to 2 GiB).
std::unique_ptr<ByteSource> open_source(const std::filesystem::path& path);

// All of it, waited for until its end or a signal.
std::string read_standard_input();

// Layers over a source of packed bytes; `name` is the file's, for messages.
std::unique_ptr<ByteSource> unpack_gzip(std::unique_ptr<ByteSource> packed, const std::string& name);  // any members
std::unique_ptr<ByteSource> unpack_zstd(std::unique_ptr<ByteSource> packed, const std::string& name);  // any frames

}  // namespace btm
