#include "btm/data/json_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "btm/core/format.h"

namespace btm {
namespace {

using nlohmann::json;

// Keeps the one field out of nlohmann's parser events; nothing else is stored.
class FieldFinder : public nlohmann::json_sax<json> {
 public:
  FieldFinder(std::string_view field, std::string& text) : field_(field), text_(text) {}

  bool null() override { return value(Found::text), true; }
  bool boolean(bool) override { return value(Found::other), true; }
  bool number_integer(number_integer_t) override { return value(Found::other), true; }
  bool number_unsigned(number_unsigned_t) override { return value(Found::other), true; }
  bool number_float(number_float_t, const string_t&) override { return value(Found::other), true; }
  bool binary(binary_t&) override { return value(Found::other), true; }
  bool string(string_t& string) override {
    if (value(Found::text)) text_.swap(string);
    return true;
  }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& key) override {
    if (depth_ != 1) return true;
    is_object_ = true;
    wanted_ = key == field_;
    if (!wanted_ && other_keys_.size() < kShownKeys) other_keys_.push_back(key);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    problem_ = error.what();
    if (std::size_t column = problem_.find("column "); column != std::string::npos) problem_.erase(0, column);
    return false;
  }

  // What is wrong, once all was read.
  std::string problem() const {
    if (!problem_.empty()) return fmt::format("broken JSON: {}", problem_);
    if (found_ == Found::text) return {};
    if (found_ == Found::other) return fmt::format("field \"{}\" is not a text", field_);
    if (!is_object_) return fmt::format("expected an object with a field \"{}\"", field_);
    const std::string near = nearest_word(field_, other_keys_);
    return fmt::format("no field \"{}\"; it has {}{}; text_field names the one to read", field_,
                       fmt::join(other_keys_, ", "), near.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", near));
  }
  bool broken() const { return !problem_.empty(); }

 private:
  static constexpr std::size_t kShownKeys = 12;
  enum class Found { nothing, text, other };

  // True if this value is the wanted field's.
  bool value(Found found) {
    if (depth_ != 1 || !wanted_) return false;
    wanted_ = false;
    found_ = found;
    text_.clear();
    return true;
  }
  bool enter() {
    value(Found::other);
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  std::string field_;
  std::string& text_;
  std::string problem_;
  std::vector<std::string> other_keys_;
  int depth_ = 0;
  bool wanted_ = false, is_object_ = false;
  Found found_ = Found::nothing;
};

// The number in "\uXXXX" at this place, or -1.
int escaped_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int value = 0;
  for (char digit : text.substr(at + 2, 4)) {
    if (!std::isxdigit(static_cast<unsigned char>(digit))) return -1;
    value = value * 16 + (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
  }
  return value;
}

// Writes U+FFFD for escaped surrogates that have no partner.
std::string without_lone_surrogates(std::string_view line) {
  std::string mended(line);
  for (std::size_t i = 0; i + 1 < mended.size(); ++i) {
    if (mended[i] != '\\') continue;
    const int unit = escaped_unit(mended, i);
    if (unit >= 0xd800 && unit < 0xe000) {
      const int next = escaped_unit(mended, i + 6);
      if (unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
        i += 6;
      } else {
        mended.replace(i, 6, "\\ufffd");
      }
      i += 5;
    } else {
      ++i;  // the escaped character, which may be another backslash
    }
  }
  return mended;
}

}  // namespace

std::string json_line_text(std::string_view line, std::string_view field, std::string& text) {
  text.clear();
  FieldFinder finder(field, text);
  json::sax_parse(line.begin(), line.end(), &finder);
  if (!finder.broken() || line.find("\\u") == std::string_view::npos) return finder.problem();
  text.clear();
  FieldFinder again(field, text);
  const std::string mended = without_lone_surrogates(line);
  json::sax_parse(mended.begin(), mended.end(), &again);
  return again.problem();
}

}  // namespace btm
