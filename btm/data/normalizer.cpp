#include "btm/data/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "btm/core/error.h"
#include "btm/data/unicode.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

// Nothing below takes part in NFC; found by comparing with the `unicode-normalization-alignments` crate (Unicode 9)
// that `tokenizers` uses: characters with a combining class or a composition that are unassigned there. To it they are
// starters that compose with nothing, so the text is normalised between them.
constexpr std::uint32_t kFirstChanging = 0x300;
constexpr CodeRange kLaterThanUnicode9[] = {
    {0x5c8, 0x5c9},     {0x7fd, 0x7fd},     {0x897, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},
    {0xc3c, 0xc3c},     {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1aff},
    {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},   {0x105c0, 0x105ff}, {0x10d24, 0x10d27}, {0x10d69, 0x10d6d},
    {0x10eab, 0x10eac}, {0x10ecb, 0x10ecf}, {0x10ef0, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
    {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x11380, 0x113ff}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
    {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
    {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45},
    {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16100, 0x1613f}, {0x16d40, 0x16d7f}, {0x16ff0, 0x16ff1},
    {0x1d127, 0x1d128}, {0x1d250, 0x1d25f}, {0x1d280, 0x1d281}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136},
    {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1e5ee, 0x1e5ef}, {0x1e6e3, 0x1e6ff}};

bool is_later(std::uint32_t value) {
  const auto after = std::ranges::upper_bound(kLaterThanUnicode9, value, {}, &CodeRange::first);
  return after != std::begin(kLaterThanUnicode9) && value <= std::prev(after)->second;
}

// CJK, kana and full-width forms that stand as they are: no combining class, no composition, no decomposition.
bool is_inert(std::uint32_t value) {
  return value < kFirstChanging || (value >= 0x3400 && value <= 0x9fff) || (value >= 0x2010 && value <= 0x20cf) ||
         (value >= 0xff00 && value <= 0xffef);
}

void append_nfc(std::string_view text, std::string& out) {
  if (text.empty()) return;
  utf8proc_uint8_t* made = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &made, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(made, &std::free);
  if (size < 0) throw failure("NFC of {} bytes failed: {}", text.size(), utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(made), static_cast<std::size_t>(size));
}

}  // namespace

std::string_view nfc(std::string_view text, std::string& buffer) {
  bool changed = false;     // buffer is in use and holds the text up to `done`
  std::size_t done = 0;     // end of what is settled
  std::size_t starter = 0;  // the last character that may start a composition
  const char* data = text.data();
  const auto settle = [&](std::size_t begin, std::size_t end) {
    if (!changed) buffer.clear();
    changed = true;
    buffer.append(text, done, begin - done);
    append_nfc(text.substr(begin, end - begin), buffer);
    done = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    Character character = decode_utf8(data + at);
    if (is_inert(character.value) || is_later(character.value)) {
      starter = is_later(character.value) ? at + character.bytes : at;
      at += character.bytes;
      continue;
    }
    const std::size_t begin = std::max(starter, done);
    while (at < text.size() && !is_inert(character.value) && !is_later(character.value)) {
      at += character.bytes;
      if (at < text.size()) character = decode_utf8(data + at);
    }
    settle(begin, at);
    starter = at;
  }
  if (!changed) return text;
  buffer.append(text, done, text.size() - done);
  return buffer;
}

}  // namespace btm
