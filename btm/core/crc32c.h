// The CRC of TFRecord files.
#pragma once

#include <cstdint>
#include <string_view>

namespace btm {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4): polynomial 0x1EDC6F41, bits reflected. A byte at a time: for logs.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace btm
