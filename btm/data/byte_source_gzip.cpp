#include <zlib.h>

#include <string>

#include "btm/core/error.h"
#include "btm/data/byte_source.h"

namespace btm {
namespace {

constexpr std::size_t kPackedBlock = 1 << 17;
constexpr int kGzipOnly = 16 + MAX_WBITS;  // zlib.h: 16 more than the window bits means a gzip header

class Gzip : public ByteSource {
 public:
  Gzip(std::unique_ptr<ByteSource> packed, std::string name)
      : packed_(std::move(packed)), name_(std::move(name)), block_(kPackedBlock, '\0') {
    if (::inflateInit2(&stream_, kGzipOnly) != Z_OK) throw failure("zlib can't be started");
  }
  ~Gzip() override { ::inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  std::size_t read(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    while (stream_.avail_out == out.size() && step()) {
    }
    return out.size() - stream_.avail_out;
  }

  std::int64_t position() const override { return packed_->position(); }

 private:
  // False at the end of the file.
  bool step() {
    if (stream_.avail_in == 0 && !refill()) {
      if (in_member_ || !any_) throw input_error("{}: the .gz is truncated; get the file again", name_);
      return false;
    }
    if (!in_member_ && any_ && *stream_.next_in == 0) {  // gzip allows zeros behind a member, as tapes left them
      ++stream_.next_in;
      --stream_.avail_in;
      return true;
    }
    in_member_ = any_ = true;
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      in_member_ = false;
      ::inflateReset(&stream_);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      throw input_error("{}: the .gz is corrupt near byte {} ({}); get the file again", name_,
                        position() - stream_.avail_in, stream_.msg ? stream_.msg : "zlib error");
    }
    return true;
  }

  bool refill() {
    stream_.next_in = reinterpret_cast<Bytef*>(block_.data());
    stream_.avail_in = static_cast<uInt>(packed_->read(block_));
    return stream_.avail_in > 0;
  }

  std::unique_ptr<ByteSource> packed_;
  std::string name_, block_;
  z_stream stream_{};
  bool in_member_ = false, any_ = false;  // any: a member has begun
};

}  // namespace

std::unique_ptr<ByteSource> unpack_gzip(std::unique_ptr<ByteSource> packed, const std::string& name) {
  return std::make_unique<Gzip>(std::move(packed), name);
}

}  // namespace btm
