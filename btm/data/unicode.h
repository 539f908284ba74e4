// Characters as the tokenizer needs them: the categories of Unicode 16, the version in `tokenizers` 0.23.
#pragma once

#include <cstdint>
#include <span>
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

}  // namespace btm
