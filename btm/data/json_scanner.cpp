#include "btm/data/json_scanner.h"

#include <cstdint>
#include <cstring>

#include "btm/data/utf8.h"

namespace btm {
namespace {

constexpr int kDeepest = 64;  // nesting beyond this is left to the slow way
constexpr std::uint32_t kReplacementCharacter = 0xfffd;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Scanner {
 public:
  explicit Scanner(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

  bool find(std::string_view field, std::string& text) {
    bool found = false;
    const bool well_formed = object([&](std::string_view key, bool& failed) {
      if (key != field) return false;
      text.clear();
      found = take('"') ? string(&text) : word("null") || word("NaN");  // pandas has no other text that is missing
      failed = !found;
      return true;
    });
    space();
    return well_formed && found && at_ == end_;
  }

  bool is_object() {
    const bool well_formed = object([](std::string_view, bool&) { return false; });
    space();
    return well_formed && at_ == end_;
  }

 private:
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
  }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view expected) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  // `own` may read the value of a key itself, and then returns true.
  template <class Own>
  bool object(Own own) {
    space();
    if (!take('{')) return false;
    space();
    if (take('}')) return true;
    std::string key;
    do {
      space();
      if (!take('"') || !string(&key)) return false;
      space();
      if (!take(':')) return false;
      space();
      bool failed = false;
      if (!own(key, failed) && !value()) return false;
      if (failed) return false;
      space();
    } while (take(','));
    return take('}');
  }

  bool array() {
    space();
    if (take(']')) return true;
    do {
      space();
      if (!value()) return false;
      space();
    } while (take(','));
    return take(']');
  }

  bool value() {
    if (at_ == end_) return false;
    switch (*at_) {
      case '"':
        ++at_;
        return string(nullptr);
      case '{':
        return nested([&] { return object([](std::string_view, bool&) { return false; }); });
      case '[':
        ++at_;
        return nested([&] { return array(); });
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      case 'N':
        return word("NaN");  // Python's json writes it, and Infinity, for numbers that are none
      default:
        return number();
    }
  }

  template <class Read>
  bool nested(Read read) {
    if (++depth_ > kDeepest) return false;
    const bool well_formed = read();
    --depth_;
    return well_formed;
  }

  bool digits() {
    const char* begin = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return at_ != begin;
  }
  bool number() {
    take('-');
    if (word("Infinity")) return true;
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  // To the next quote, backslash or control character; eight bytes at a time.
  const char* end_of_run() const {
    constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;
    auto zero = [](std::uint64_t x) { return (x - kOnes) & ~x & kHighs; };
    const char* p = at_;
    for (; end_ - p >= 8; p += 8) {
      std::uint64_t x;
      std::memcpy(&x, p, 8);
      const std::uint64_t below_space = (x - 0x20 * kOnes) & ~x & kHighs;
      if (zero(x ^ '"' * kOnes) | zero(x ^ '\\' * kOnes) | below_space) break;
    }
    while (p != end_ && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
    return p;
  }

  // Behind the opening quote; `text` is filled if not null.
  bool string(std::string* text) {
    if (text) text->clear();
    for (;;) {
      const char* run = end_of_run();
      if (text) text->append(at_, run);
      at_ = run;
      if (take('"')) return true;
      if (!take('\\') || at_ == end_ || !escape(text)) return false;
    }
  }

  bool escape(std::string* text) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const char letter = *at_++;
    if (letter == 'u') return unicode_escape(text);
    const std::size_t index = kLetters.find(letter);
    if (index == std::string_view::npos) return false;
    if (text) *text += kMeanings[index];
    return true;
  }

  bool unicode_escape(std::string* text) {
    std::uint32_t value, low;
    if (!hex(value)) return false;
    if (value >= 0xd800 && value < 0xe000) {
      const char* before = at_;
      if (value < 0xdc00 && word("\\u") && hex(low) && low >= 0xdc00 && low < 0xe000) {
        value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
      } else {
        at_ = before;
        value = kReplacementCharacter;
      }
    }
    if (text) append_utf8(value, *text);
    return true;
  }

  bool hex(std::uint32_t& value) {
    if (end_ - at_ < 4) return false;
    value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *at_++;
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit(c) && (lower < 'a' || lower > 'f')) return false;
      value = value * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
    }
    return true;
  }

  const char *at_, *end_;
  int depth_ = 0;
};

}  // namespace

bool scan_text_field(std::string_view line, std::string_view field, std::string& text) {
  text.clear();
  return Scanner(line).find(field, text);
}

bool is_json_object(std::string_view line) {
  return Scanner(line).is_object();
}

}  // namespace btm
