// JSON lines of text, by the quick scanner and by the parser that it stands in for.
#include <nlohmann/json.hpp>

#include "btm/data/json_scanner.h"
#include "btm/data/text_file.h"
#include "btm/data/utf8.h"
#include "fuzz/input.h"

namespace {

// What the scanner takes for whole is JSON with that text. Halves of surrogate pairs and numbers beyond a double are
// what only it takes.
void compare_with_parser(std::string_view line) {
  std::string text;
  if (btm::find_invalid_utf8(line) != line.npos || !btm::scan_text_field(line, "text", text)) return;
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded()) {
    const bool beyond = line.find("\\u") != line.npos || line.find_first_of("0123456789") != line.npos;
    btm::fuzz::require(beyond, "broken JSON taken for whole");
  } else {
    const auto& value = json.at("text");
    btm::fuzz::require(value.is_null() ? text.empty() : value == text, "another text than the parser's");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    compare_with_parser(bytes.substr(0, bytes.find('\n')));
    const btm::fuzz::InputFile input(bytes);
    btm::TextFile file(input.path(), {}, {.cut_long = true, .json_lines = true});
    for (std::string text; file.next(text);) {
      btm::fuzz::require(btm::find_invalid_utf8(text) == text.npos, "a document that is not UTF-8");
    }
  });
}
