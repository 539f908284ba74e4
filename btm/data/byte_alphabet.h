// The 256 printable characters that stand for bytes in byte-level vocabularies (Radford et al. 2019, GPT-2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace btm {

// The character for a byte: itself where it is printable Latin-1, else one of U+0100 and up.
std::uint32_t alphabet_char(unsigned char byte);

std::string to_alphabet(std::string_view bytes);

// The bytes that such characters stand for; nullopt if one of them is not of the alphabet.
std::optional<std::string> from_alphabet(std::string_view characters);

}  // namespace btm
