// Text that isn't valid UTF-8, made valid.
#pragma once

#include <string>
#include <string_view>

namespace btm {

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
