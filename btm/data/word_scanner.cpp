#include "btm/data/word_scanner.h"

#include <array>

#include "btm/data/unicode.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

constexpr std::array<std::string_view, 3> kRegexes = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

// The character under the cursor: its CharClass bits and length; length 0 at the end of the text.
struct Look {
  std::uint8_t bits;
  std::uint32_t bytes;

  bool other() const { return bytes != 0 && (bits & (kLetter | kNumber | kSpace)) == 0; }
};

inline Look look(const std::uint8_t* classes, const char* at, const char* end) {
  if (at == end) return {0, 0};
  const auto byte = static_cast<unsigned char>(*at);
  if (byte < 0x80) return {classes[byte], 1};
  const Character character = decode_utf8(at);
  return {classes[character.value], character.bytes};
}

inline const char* skip(const std::uint8_t* classes, std::uint8_t bit, const char* at, const char* end) {
  for (Look next = look(classes, at, end); next.bits & bit; next = look(classes, at, end)) at += next.bytes;
  return at;
}

inline const char* skip_other(const std::uint8_t* classes, const char* at, const char* end) {
  for (Look next = look(classes, at, end); next.other(); next = look(classes, at, end)) at += next.bytes;
  return at;
}

// 's 't 're 've 'm 'll 'd at an apostrophe; its end, or null.
const char* contraction(const char* at, const char* end, bool ignore_case) {
  const auto lower = [&](const char* from) {
    return ignore_case && *from >= 'A' && *from <= 'Z' ? static_cast<char>(*from | 0x20) : *from;
  };
  if (at + 1 == end) return nullptr;
  const char first = lower(at + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if (at + 2 == end) return nullptr;
  const char second = lower(at + 2);
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')) {
    return at + 3;
  }
  if (ignore_case && at[1] == '\xc5' && at[2] == '\xbf') return at + 3;  // U+017F, long s, folds to s
  return nullptr;
}

// \s+(?!\S)|\s+ at a white space: the run up to the end of the text, else all but its last character, which the next
// word may take; a run of one is a word.
const char* spaces(const std::uint8_t* classes, const char* begin, const char* end) {
  const char* stop = skip(classes, kSpace, begin, end);
  if (stop == end) return stop;
  const char* last = stop - decode_utf8_before(stop).bytes;
  return last == begin ? stop : last;
}

const char* next_gpt2(const std::uint8_t* classes, const char* begin, const char* end) {
  if (*begin == '\'') {
    if (const char* stop = contraction(begin, end, false)) return stop;
  }
  const char* at = *begin == ' ' ? begin + 1 : begin;
  const Look next = look(classes, at, end);
  if (next.bits & kLetter) return skip(classes, kLetter, at + next.bytes, end);
  if (next.bits & kNumber) return skip(classes, kNumber, at + next.bytes, end);
  if (next.other()) return skip_other(classes, at + next.bytes, end);
  return spaces(classes, begin, end);
}

const char* numbers(const std::uint8_t* classes, const char* at, const char* end, int most) {
  for (int count = 0; count < most; ++count) {
    const Look next = look(classes, at, end);
    if (!(next.bits & kNumber)) break;
    at += next.bytes;
  }
  return at;
}

// \s*[\r\n]+ at a white space: up to the last line break of the run, or null.
const char* line_breaks(const std::uint8_t* classes, const char* begin, const char* end) {
  const char* stop = skip(classes, kSpace, begin, end);
  while (stop > begin && stop[-1] != '\n' && stop[-1] != '\r') --stop;
  return stop > begin ? stop : nullptr;
}

const char* next_llama3(const std::uint8_t* classes, const char* begin, const char* end, int most_digits) {
  if (*begin == '\'') {
    if (const char* stop = contraction(begin, end, true)) return stop;
  }
  const Look first = look(classes, begin, end);
  if (first.bits & kLetter) return skip(classes, kLetter, begin + first.bytes, end);
  if (first.bits & kNumber) return numbers(classes, begin, end, most_digits);
  const char* after = begin + first.bytes;
  const Look second = look(classes, after, end);
  if (!(first.bits & kNewline) && second.bits & kLetter) return skip(classes, kLetter, after + second.bytes, end);
  if (first.other() || (*begin == ' ' && second.other())) {
    const char* at = skip_other(classes, first.other() ? begin : after, end);
    while (at != end && (*at == '\r' || *at == '\n')) ++at;
    return at;
  }
  if (const char* stop = line_breaks(classes, begin, end)) return stop;
  return spaces(classes, begin, end);
}

}  // namespace

std::optional<WordPattern> known_pattern(std::string_view regex) {
  for (std::size_t i = 0; i < kRegexes.size(); ++i) {
    if (kRegexes[i] == regex) return static_cast<WordPattern>(i);
  }
  return std::nullopt;
}

std::string_view regex_of(WordPattern pattern) {
  return kRegexes[static_cast<std::size_t>(pattern)];
}

const char* next_word(WordPattern pattern, const char* begin, const char* end) {
  static const std::uint8_t* const classes = char_classes();
  switch (pattern) {
    case WordPattern::gpt2:
      return next_gpt2(classes, begin, end);
    case WordPattern::llama3:
      return next_llama3(classes, begin, end, 3);
    case WordPattern::qwen2:
      return next_llama3(classes, begin, end, 1);
  }
  return end;
}

}  // namespace btm
