#include "btm/data/byte_alphabet.h"

#include <array>

#include "btm/data/utf8.h"

namespace btm {
namespace {

constexpr std::uint32_t kHighest = 0x100 + 68;  // 68 bytes are not printable

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

constexpr std::array<std::uint16_t, 256> make_characters() {
  std::array<std::uint16_t, 256> characters{};
  std::uint16_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    characters[byte] = stands_for_itself(byte) ? static_cast<std::uint16_t>(byte) : next++;
  }
  return characters;
}

constexpr std::array<std::uint16_t, 256> kCharacters = make_characters();

constexpr std::array<std::int16_t, kHighest> make_bytes() {
  std::array<std::int16_t, kHighest> bytes{};
  bytes.fill(-1);
  for (int byte = 0; byte < 256; ++byte) bytes[kCharacters[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}

constexpr std::array<std::int16_t, kHighest> kBytes = make_bytes();

}  // namespace

std::uint32_t alphabet_char(unsigned char byte) {
  return kCharacters[byte];
}

std::string to_alphabet(std::string_view bytes) {
  std::string characters;
  for (const char byte : bytes) append_utf8(kCharacters[static_cast<unsigned char>(byte)], characters);
  return characters;
}

std::optional<std::string> from_alphabet(std::string_view characters) {
  std::string bytes;
  for (std::size_t at = 0; at < characters.size();) {
    const Character character = decode_utf8(characters.data() + at);
    if (character.value >= kHighest || kBytes[character.value] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[character.value]);
    at += character.bytes;
  }
  return bytes;
}

}  // namespace btm
