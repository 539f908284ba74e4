#include "btm/data/utf8.h"

#include <algorithm>

#include "btm/data/unicode.h"

namespace btm {
namespace {

constexpr std::string_view kReplacementBytes = "\xef\xbf\xbd";  // U+FFFD

// Length of the maximal subpart at the start of ill-formed bytes: the longest start of some well-formed character,
// or 1.
std::size_t maximal_subpart(std::string_view bytes) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  const std::size_t length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  // Table 3-7: the second byte's range is narrower after these leads.
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  std::size_t size = 1;
  while (size < length && size < bytes.size()) {
    const unsigned char byte = at(size);
    if (size == 1 ? byte < low || byte > high : (byte & 0xc0) != 0x80) break;
    ++size;
  }
  return size;
}

}  // namespace

bool repair_utf8(std::string& text) {
  std::size_t invalid = find_invalid_utf8(text);
  if (invalid == std::string_view::npos) return false;
  std::string repaired;
  repaired.reserve(text.size() + 64);
  std::string_view rest = text;
  while (invalid != std::string_view::npos) {
    repaired.append(rest.substr(0, invalid)).append(kReplacementBytes);
    rest.remove_prefix(invalid);
    rest.remove_prefix(maximal_subpart(rest));
    invalid = find_invalid_utf8(rest);
  }
  repaired.append(rest);
  text = std::move(repaired);
  return true;
}

bool is_blank(std::string_view text) {
  const std::uint8_t* classes = char_classes();
  for (const char* at = text.data(); at != text.data() + text.size();) {
    const Character character = decode_utf8(at);
    if (!(classes[character.value] & kSpace)) return false;
    at += character.bytes;
  }
  return true;
}

std::size_t whole_characters(std::string_view text, std::size_t size) {
  if (size >= text.size()) return text.size();
  const std::size_t least = size - std::min<std::size_t>(size, 3);
  std::size_t cut = size;
  while (cut > least && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80 ? size : cut;
}

std::size_t finished_characters(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;  // within a character: look for its first byte
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace btm
