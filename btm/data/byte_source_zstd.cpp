#include <zstd.h>

#include <string>

#include "btm/core/error.h"
#include "btm/data/byte_source.h"

namespace btm {
namespace {

constexpr int kLargestWindow = 31;  // 2 GiB: what `zstd --ultra --long=31` writes

class Zstd : public ByteSource {
 public:
  Zstd(std::unique_ptr<ByteSource> packed, std::string name)
      : packed_(std::move(packed)), name_(std::move(name)), block_(ZSTD_DStreamInSize(), '\0') {
    if (!context_) throw failure("libzstd can't be started");
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kLargestWindow);
  }

  std::size_t read(std::span<char> out) override {
    ZSTD_outBuffer target{out.data(), out.size(), 0};
    while (target.pos == 0 && step(target)) {
    }
    return target.pos;
  }

  std::int64_t position() const override { return packed_->position(); }

 private:
  // False at the end of the file.
  bool step(ZSTD_outBuffer& target) {
    if (source_.pos == source_.size && !full_) {
      source_ = {block_.data(), packed_->read(block_), 0};
      if (source_.size == 0) {
        if (pending_ != 0) throw input_error("{}: the .zst is truncated; get the file again", name_);
        return false;
      }
    }
    pending_ = ZSTD_decompressStream(context_.get(), &target, &source_);
    if (ZSTD_isError(pending_)) {
      throw input_error("{}: the .zst is corrupt near byte {} ({}); get the file again", name_,
                        position() - static_cast<std::int64_t>(source_.size - source_.pos),
                        ZSTD_getErrorName(pending_));
    }
    full_ = target.pos == target.size && pending_ != 0;  // more output may wait inside than there was room for
    return true;
  }

  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ByteSource> packed_;
  std::string name_, block_;
  std::unique_ptr<ZSTD_DCtx, Free> context_{ZSTD_createDCtx()};
  ZSTD_inBuffer source_{nullptr, 0, 0};
  std::size_t pending_ = 1;  // 0 between frames; an empty file isn't a .zst
  bool full_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> unpack_zstd(std::unique_ptr<ByteSource> packed, const std::string& name) {
  return std::make_unique<Zstd>(std::move(packed), name);
}

}  // namespace btm
