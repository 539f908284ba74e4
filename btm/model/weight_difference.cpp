#include "btm/model/weight_difference.h"

#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "btm/core/error.h"

namespace btm {
namespace {

constexpr std::size_t kNumber = sizeof(std::uint32_t);
constexpr std::size_t kBlock = std::size_t{1} << 18;  // bytes of numbers in a frame
constexpr int kLevel = 3;                             // zstd's default: 9 saves half a percent more

std::uint32_t number_at(std::string_view bytes, std::size_t index) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + index * kNumber, kNumber);
  return number;
}

// Small differences of either sign become small numbers: 0, -1, 1, -2, ... are 0, 1, 2, 3, ...
std::uint32_t zigzag(std::uint32_t difference) {
  return (difference << 1) ^ (difference >> 31 ? ~0U : 0U);
}
std::uint32_t unzigzag(std::uint32_t code) {
  return (code >> 1) ^ (code & 1 ? ~0U : 0U);
}

// The lowest bytes of all numbers, then the next ones: weights that lie near each other share the high ones.
void split_bytes(std::string_view values, std::string_view base, char* planes) {
  const std::size_t count = values.size() / kNumber;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t code = zigzag(number_at(values, i) - number_at(base, i));
    for (std::size_t byte = 0; byte < kNumber; ++byte, code >>= 8) {
      planes[byte * count + i] = static_cast<char>(code & 0xff);
    }
  }
}

void join_bytes(const char* planes, std::string_view base, char* values) {
  const std::size_t count = base.size() / kNumber;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t code = 0;
    for (std::size_t byte = kNumber; byte-- > 0;)
      code = code << 8 | static_cast<unsigned char>(planes[byte * count + i]);
    const std::uint32_t number = number_at(base, i) + unzigzag(code);
    std::memcpy(values + i * kNumber, &number, kNumber);
  }
}

struct Free {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

void pack_difference(std::string_view values, std::string_view base, const ByteSink& sink) {
  std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  if (!context) throw failure("libzstd can't be started");
  std::string planes(std::min(kBlock, values.size()), '\0'), frame(ZSTD_compressBound(planes.size()), '\0');
  for (; !values.empty(); values.remove_prefix(std::min(kBlock, values.size()))) {
    const std::string_view block = values.substr(0, kBlock);
    split_bytes(block, base, planes.data());
    const std::size_t size =
        ZSTD_compressCCtx(context.get(), frame.data(), frame.size(), planes.data(), block.size(), kLevel);
    if (ZSTD_isError(size)) throw failure("libzstd: {}", ZSTD_getErrorName(size));
    sink({frame.data(), size});
    base.remove_prefix(block.size());
  }
}

void unpack_difference(std::string_view packed, std::string_view base, const std::string& where, const ByteSink& sink) {
  std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  if (!context) throw failure("libzstd can't be started");
  std::string planes(std::min(kBlock, base.size()), '\0'), values(planes.size(), '\0');
  for (; !base.empty(); base.remove_prefix(std::min(kBlock, base.size()))) {
    const std::string_view block = base.substr(0, kBlock);
    const std::size_t frame = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
    if (ZSTD_isError(frame)) throw input_error("{}: its difference is broken or cut off", where);
    // In one go and into room for the block alone: nothing is allocated by what the frame says of itself.
    const std::size_t size = ZSTD_decompressDCtx(context.get(), planes.data(), block.size(), packed.data(), frame);
    if (size != block.size())
      throw input_error("{}: a block of its difference is not of {} bytes", where, block.size());
    join_bytes(planes.data(), block, values.data());
    sink({values.data(), block.size()});
    packed.remove_prefix(frame);
  }
  if (!packed.empty()) throw input_error("{}: its difference has {} bytes too many", where, packed.size());
}

}  // namespace btm
