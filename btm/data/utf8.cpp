#include "btm/data/utf8.h"

#include <algorithm>
#include <cstring>

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

void append_utf8(std::uint32_t value, std::string& text) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (value >> shift & 0x3f)); };
  if (value < 0x80) {
    text += static_cast<char>(value);
  } else if (value < 0x800) {
    text += static_cast<char>(0xc0 | value >> 6);
    tail(0);
  } else if (value < 0x10000) {
    text += static_cast<char>(0xe0 | value >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0 | value >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::size_t find_invalid_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const std::size_t size = text.size();
  std::size_t at = 0;
  while (at < size) {
    std::uint64_t eight;
    if (at + 8 <= size && (std::memcpy(&eight, bytes + at, 8), (eight & 0x8080808080808080u) == 0)) {
      at += 8;
      continue;
    }
    const unsigned char lead = bytes[at];
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || at + length > size) return at;
    for (std::size_t i = 1; i < length; ++i) {
      if ((bytes[at + i] & 0xc0) != 0x80) return at;
    }
    // Overlong forms, surrogates, and values past U+10FFFF show in the second byte.
    const unsigned char second = bytes[at + 1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      return at;
    }
    at += length;
  }
  return std::string_view::npos;
}

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
