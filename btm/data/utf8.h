// UTF-8: characters, and text that isn't valid, made valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace btm {

struct Character {
  std::uint32_t value;
  std::uint32_t bytes;
};

// The character at the start of valid UTF-8.
inline Character decode_utf8(const char* at) {
  const auto* byte = reinterpret_cast<const unsigned char*>(at);
  if (byte[0] < 0x80) return {byte[0], 1};
  if (byte[0] < 0xe0) return {(byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu), 2};
  if (byte[0] < 0xf0) return {(byte[0] & 0xfu) << 12 | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu), 3};
  return {(byte[0] & 7u) << 18 | (byte[1] & 0x3fu) << 12 | (byte[2] & 0x3fu) << 6 | (byte[3] & 0x3fu), 4};
}

// The character that ends at `end`, in valid UTF-8 that has one before it.
inline Character decode_utf8_before(const char* end) {
  const char* at = end - 1;
  while ((static_cast<unsigned char>(*at) & 0xc0) == 0x80) --at;
  return decode_utf8(at);
}

void append_utf8(std::uint32_t value, std::string& text);

// Offset of the first byte that is not valid UTF-8; npos if all is.
std::size_t find_invalid_utf8(std::string_view text);

// Replaces what is not UTF-8 by U+FFFD, one for each maximal subpart (Unicode 16, section 3.9), as Python's
// decode("utf-8", "replace") does. Says whether anything had to be replaced. Valid text is only looked at.
bool repair_utf8(std::string& text);

// Whether nothing but white space is in this valid UTF-8.
bool is_blank(std::string_view text);

// The largest size <= `size` that doesn't cut a character of `text` in two; at most 3 less than `size`.
std::size_t whole_characters(std::string_view text, std::size_t size);

// Size of the longest start of `text` that does not end within a character, which bytes to come may finish.
std::size_t finished_characters(std::string_view text);

}  // namespace btm
