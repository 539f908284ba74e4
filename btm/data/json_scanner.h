// The quick way to the text in a JSON line, some ten times faster than a parser of all JSON.
#pragma once

#include <string>
#include <string_view>

namespace btm {

// True if the line is a well-formed JSON object and its field `field` is a string, which is then in `text`, or null or
// NaN, which are an empty one; halves of surrogate pairs become U+FFFD. False says only that the slow way has to look:
// never is broken JSON taken for whole. The line is valid UTF-8.
bool scan_text_field(std::string_view line, std::string_view field, std::string& text);

// Whether the line is an object as above, whatever its fields: with the NaN, Infinity and halves of surrogate pairs
// that Python's json writes.
bool is_json_object(std::string_view line);

}  // namespace btm
