#include "btm/data/added_tokens.h"

#include <algorithm>

#include "btm/data/unicode.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

bool has(std::uint32_t character, CharClass bit) {
  return char_classes()[character] & bit;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool word_before = begin > 0 && has(decode_utf8_before(text.data() + begin).value, kWord);
  const bool word_after = end < text.size() && has(decode_utf8(text.data() + end).value, kWord);
  return !word_before && !word_after;
}

std::size_t space_before(std::string_view text, std::size_t at) {
  while (at > 0) {
    const Character before = decode_utf8_before(text.data() + at);
    if (!has(before.value, kSpace)) break;
    at -= before.bytes;
  }
  return at;
}

std::size_t space_after(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const Character after = decode_utf8(text.data() + at);
    if (!has(after.value, kSpace)) break;
    at += after.bytes;
  }
  return at;
}

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string_view pattern) {
  std::int32_t node = 0;
  for (const char character : pattern) {
    const std::uint64_t key = pair_key(node, static_cast<unsigned char>(character));
    const std::int32_t* known = next_.find(key);
    if (known != nullptr) {
      node = *known;
    } else {
      node = next_[key] = static_cast<std::int32_t>(ends_.size());
      ends_.push_back(-1);
    }
  }
  ends_[node] = static_cast<std::int32_t>(tokens_.size());
  starts_[static_cast<unsigned char>(pattern[0])] = true;
  tokens_.push_back(token);
}

bool AddedTokenFinder::find(std::string_view text, std::size_t from, Match& match) const {
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
    match.token = nullptr;
    std::int32_t node = 0;
    for (std::size_t at = begin; at < text.size(); ++at) {
      const std::int32_t* next = next_.find(pair_key(node, static_cast<unsigned char>(text[at])));
      if (next == nullptr) break;
      node = *next;
      if (ends_[node] >= 0) match = {&tokens_[ends_[node]], begin, at + 1};
    }
    if (match.token != nullptr) return true;
  }
  return false;
}

void AddedTokenFinder::split(std::string_view text, std::vector<TextPart>& parts) const {
  std::size_t done = 0;
  Match match{};
  for (std::size_t from = 0; !empty() && find(text, from, match);) {
    from = match.end;  // also past a match that is then refused
    std::size_t begin = match.begin, end = match.end;
    if (match.token->single_word && !stands_alone(text, begin, end)) continue;
    if (match.token->lstrip) begin = std::max(space_before(text, begin), done);
    if (match.token->rstrip) end = space_after(text, end);
    if (end <= begin) continue;  // all of it went to the token before
    if (done < begin) parts.push_back({-1, text.substr(done, begin - done)});
    parts.push_back({match.token->id, text.substr(begin, end - begin)});
    done = end;
  }
  if (done < text.size()) parts.push_back({-1, text.substr(done)});
}

}  // namespace btm
