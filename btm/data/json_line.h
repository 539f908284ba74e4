// The text in a line of a .jsonl file.
#pragma once

#include <string>
#include <string_view>

namespace btm {

// Takes the text of field `field` (at the top level; null is no text) into `text`. The line is valid UTF-8; halves of
// surrogate pairs, which JSON can write and UTF-8 can't, become U+FFFD. Returns what is wrong with the line, or "".
std::string json_line_text(std::string_view line, std::string_view field, std::string& text);

}  // namespace btm
