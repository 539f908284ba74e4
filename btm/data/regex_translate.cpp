#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "btm/core/error.h"
#include "btm/data/regex.h"
#include "btm/data/unicode.h"

namespace btm {
namespace {

std::vector<CodeRange> without(const std::vector<CodeRange>& ranges, CodeRange cut) {
  std::vector<CodeRange> left;
  for (const auto& [first, last] : ranges) {
    if (last < cut.first || first > cut.second) {
      left.emplace_back(first, last);
      continue;
    }
    if (first < cut.first) left.emplace_back(first, cut.first - 1);
    if (last > cut.second) left.emplace_back(cut.second + 1, last);
  }
  return left;
}

// As PCRE2 writes a class; it has no surrogates.
std::string join(const std::vector<CodeRange>& ranges) {
  constexpr CodeRange kSurrogates{0xd800, 0xdfff};
  std::string text;
  for (const auto& [first, last] : without(ranges, kSurrogates)) {
    text += fmt::format("\\x{{{:x}}}", first);
    if (last > first) text += fmt::format("-\\x{{{:x}}}", last);
  }
  return text;
}

// \w within a class: there Oniguruma takes the categories of Unicode, alone its own table of Latin-1, which has more.
std::vector<CodeRange> word_in_class() {
  std::vector<CodeRange> ranges = ranges_of("word");
  for (const CodeRange& digits : {CodeRange{0xb2, 0xb3}, {0xb9, 0xb9}, {0xbc, 0xbe}}) ranges = without(ranges, digits);
  return ranges;
}

// Walks the pattern once from left to right, copying what means the same in both libraries.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where) : pattern_(pattern), where_(where) {}

  std::string run() {
    while (at_ < pattern_.size()) step();
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view part, std::string_view why) const {
    throw input_error("{}: the regex construct `{}` is not supported ({}); in `{}`", where_, part, why, pattern_);
  }

  char peek(std::size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  bool starts(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool caseless() const { return !caseless_.empty() && caseless_.back(); }

  void copy(std::size_t count = 1) {
    out_ += pattern_.substr(at_, count);
    at_ += count;
  }

  void step() {
    switch (peek()) {
      case '\\':
        return escape();
      case '[':
        return bracket();
      case '(':
        return group();
      case ')':
        if (!caseless_.empty()) caseless_.pop_back();
        return copy();
      case '{':
        return interval();
      case '^':
      case '$':
        refuse(pattern_.substr(at_, 1), "it means the start or end of a line there, of the text here");
      default:
        return literal();
    }
  }

  void literal() {
    const auto byte = static_cast<unsigned char>(peek());
    if (byte >= 0x80 && caseless()) refuse("(?i:...)", "with characters that are not ASCII");
    if (caseless() && !in_class_ && at_ > 0) refuse_ligature(pattern_.substr(at_ - 1, 2));
    copy();
  }

  // Oniguruma takes one character (\u00df, \ufb00 to \ufb06) for these two, PCRE2 does not.
  void refuse_ligature(std::string_view letters) const {
    std::string lower(letters);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (lower == "ss" || lower == "st" || lower == "ff" || lower == "fi" || lower == "fl")
      refuse(letters, "without case it also means one letter, such as the German sharp s");
  }

  // ( of a group: plain, (?:, (?i:, lookahead and lookbehind, atomic.
  void group() {
    bool ignore_case = caseless();
    static constexpr std::array<std::string_view, 6> kKinds = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    std::size_t length = 1;
    if (peek(1) == '?') {
      const auto kind = std::ranges::find_if(kKinds, [&](std::string_view text) { return starts(text); });
      if (kind != kKinds.end()) {
        length = kind->size();
      } else if (starts("(?i:")) {
        length = 4;
        ignore_case = true;
      } else {
        refuse(pattern_.substr(at_, 4), "groups may be (...), (?:...), (?i:...), (?>...) and lookarounds");
      }
    }
    caseless_.push_back(ignore_case);
    copy(length);
  }

  // {n}, {n,} or {n,m}, greedy. What may follow means other things in Oniguruma than in PCRE2.
  void interval() {
    const std::size_t close = pattern_.find('}', at_);
    const std::string_view body = pattern_.substr(at_ + 1, close == pattern_.npos ? pattern_.npos : close - at_ - 1);
    const bool plain = close != pattern_.npos && !body.empty() && body[0] != ',' &&
                       body.find_first_not_of("0123456789,") == body.npos && std::ranges::count(body, ',') <= 1;
    if (!plain) refuse(pattern_.substr(at_, 8), "repeats are {n}, {n,} and {n,m}");
    copy(body.size() + 2);
    if (peek() == '+' || peek() == '?')
      refuse(pattern_.substr(at_ - body.size() - 2, body.size() + 3), "its meaning differs");
  }

  void bracket() {
    if (starts("[[:")) refuse("[:...:]", "write a property such as \\p{L}");
    in_class_ = true;
    copy(starts("[^") ? 2 : 1);
    if (peek() == ']') refuse("[]", "escape the bracket");
    while (at_ < pattern_.size() && peek() != ']') {
      if (peek() == '[') refuse("[...[", "classes in classes; escape the bracket");
      if (starts("&&")) refuse("&&", "intersections of classes");
      if (peek() == '\\') {
        escape();
      } else {
        if (std::string_view(".:=").find(peek()) != std::string_view::npos) out_ += '\\';  // [. is more to PCRE2
        literal();
      }
    }
    if (at_ == pattern_.size()) refuse("[", "it has no end");
    in_class_ = false;
    copy();
  }

  // Writes a set of code points, inside a class or as one.
  void put(const std::vector<CodeRange>& ranges, bool negated) {
    if (caseless()) refuse("(?i:...)", "with properties inside");
    if (in_class_) {
      out_ += join(negated ? complement(ranges) : ranges);
    } else {
      out_ += fmt::format("[{}{}]", negated ? "^" : "", join(ranges));
    }
  }

  void escape() {
    const char kind = peek(1);
    const bool negated = kind >= 'A' && kind <= 'Z';
    switch (kind) {
      case 's':
      case 'S':
        put(ranges_of("space"), negated);
        break;
      case 'd':
      case 'D':
        put(ranges_of("Nd"), negated);
        break;
      case 'w':
      case 'W':
        put(in_class_ ? word_in_class() : ranges_of("word"), negated);
        break;
      case 'p':
      case 'P':
        return property();
      default:
        return plain_escape();
    }
    at_ += 2;
  }

  void plain_escape() {
    const char kind = peek(1);
    const bool letter = std::string_view("rntf").find(kind) != std::string_view::npos;
    const bool punctuation = kind > ' ' && kind < 0x7f && !std::isalnum(static_cast<unsigned char>(kind));
    if (!letter && !punctuation && kind != ' ') {
      refuse(pattern_.substr(at_, 2), "escapes may be \\s \\S \\d \\D \\w \\W \\p \\P \\r \\n \\t \\f and punctuation");
    }
    copy(2);
  }

  void property() {
    const std::size_t close = pattern_.find('}', at_);
    if (peek(2) != '{' || close == pattern_.npos) refuse(pattern_.substr(at_, 4), "write \\p{Name}");
    std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    const bool inverted = name.starts_with('^');
    if (inverted) name.remove_prefix(1);
    const std::vector<CodeRange> ranges = name.size() > 2 ? std::vector<CodeRange>{} : ranges_of(name);
    if (ranges.empty())
      refuse(pattern_.substr(at_, close + 1 - at_), "properties are general categories such as L or Lu");
    put(ranges, (peek(1) == 'P') != inverted);
    at_ = close + 1;
  }

  std::string_view pattern_;
  const std::string& where_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  std::vector<bool> caseless_;  // of the open groups
  std::string out_;
};

}  // namespace

std::string translate_regex(std::string_view oniguruma, const std::string& where) {
  return Translator(oniguruma, where).run();
}

}  // namespace btm
