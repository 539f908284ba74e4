// Characters as the tokenizer needs them: UTF-8 and the categories of Unicode 16, the version in `tokenizers` 0.23.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace btm {

// What the scanners ask of a character, as bits.
enum CharClass : std::uint8_t {
  kLetter = 1,   // \p{L}
  kNumber = 2,   // \p{N}
  kSpace = 4,    // \s
  kNewline = 8,  // \r or \n, always with kSpace
  kWord = 16,    // \w of Rust's regex
};

struct Character {
  std::uint32_t value;
  std::uint32_t bytes;
};

using CodeRange = std::pair<std::uint32_t, std::uint32_t>;  // first and last

// First code point of a range << 5 | category, rising.
std::span<const std::uint32_t> category_table();

// Ranges with a property: a category ("Lu"), a group of them ("L"), or "space" and "word", which are \s and \w in
// Oniguruma; empty if the name is not known.
std::vector<CodeRange> ranges_of(std::string_view property);
// All code points but these.
std::vector<CodeRange> complement(const std::vector<CodeRange>& ranges);

// CharClass bits by code point; 0x110000 of them.
const std::uint8_t* char_classes();

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

}  // namespace btm
