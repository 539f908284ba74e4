#include "btm/data/json_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "btm/core/format.h"
#include "btm/data/json_scanner.h"

namespace btm {
namespace {

using nlohmann::json;

// Keeps the one field out of nlohmann's parser events, and knows what is wrong with a line.
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

  // What is wrong with the line, once all was read.
  std::string problem(std::string_view line) const {
    if (!problem_.empty() && !is_json_object(line)) return fmt::format("broken JSON: {}", problem_);
    if (found_ == Found::text) return {};
    if (found_ == Found::other) return fmt::format("field \"{}\" is not a text", field_);
    if (!is_object_) return fmt::format("expected an object with a field \"{}\"", field_);
    const std::string near = nearest_word(field_, other_keys_);
    if (!near.empty()) return fmt::format("no field \"{}\"; did you mean text_field: {}?", field_, near);
    return fmt::format(
        "no field \"{}\"; it has {}: rename it, or set text_field (--text-field of prepare and tokenize)", field_,
        fmt::join(other_keys_, ", "));
  }

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

}  // namespace

std::string json_line_text(std::string_view line, std::string_view field, std::string& text) {
  if (scan_text_field(line, field, text)) return {};
  text.clear();
  FieldFinder finder(field, text);
  json::sax_parse(line.begin(), line.end(), &finder);
  return finder.problem(line);
}

}  // namespace btm
