#include "btm/core/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm {

void Kind::describe(std::string&, int, void*) const {}

namespace {

const char* shape_of(const YAML::Node& node) {
  return node.IsMap() ? "a map" : node.IsSequence() ? "a list" : node.IsNull() ? "nothing" : "a value";
}

std::string listed(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string within(const std::string& where, const std::string& key) {
  return where.empty() ? key : where + "." + key;
}

std::string at(const YAML::Node& node, const std::string& where) {  // "line 3: training.clip"
  const YAML::Mark mark = node.Mark();
  return mark.line >= 0 ? fmt::format("line {}: {}", mark.line + 1, where) : where;
}

[[noreturn]] void expected(const std::string& what, const YAML::Node& node, const std::string& where) {
  throw input_error("{} must be {}, found {}", at(node, where), what,
                    node.IsScalar() ? fmt::format("'{}'", node.Scalar()) : shape_of(node));
}

std::string scalar(const YAML::Node& node, const std::string& where, const char* what) {
  if (!node.IsScalar()) expected(what, node, where);
  return node.Scalar();
}

class BoolKind final : public Kind {
 public:
  void read(const YAML::Node& node, void* field, const std::string& where) const final {
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, *static_cast<bool*>(field))) {
      expected("true or false", node, where);
    }
  }
  Json json(const void* field) const final { return *static_cast<const bool*>(field); }
};

class TextKind final : public Kind {
 public:
  void read(const YAML::Node& node, void* field, const std::string& where) const final {
    *static_cast<std::string*>(field) = scalar(node, where, "a text");
  }
  Json json(const void* field) const final { return *static_cast<const std::string*>(field); }
};

double read_number(const YAML::Node& node, const std::string& where) {
  double value = 0;
  if (!node.IsScalar() || !YAML::convert<double>::decode(node, value) || !std::isfinite(value)) {
    expected("a number", node, where);
  }
  return value;
}

std::int64_t read_count(const YAML::Node& node, const std::string& where) {
  const std::string text = scalar(node, where, "a count");
  try {
    return parse_count(text);
  } catch (const Error& e) {
    throw input_error("{}: {}", at(node, where), e.what());
  }
}

template <class T>
class NumberKind final : public Kind {
 public:
  void read(const YAML::Node& node, void* field, const std::string& where) const final {
    if constexpr (std::is_integral_v<T>) {
      const std::int64_t count = read_count(node, where);
      if (!std::in_range<T>(count)) {
        constexpr auto kLeast = std::numeric_limits<T>::min(), kMost = std::numeric_limits<T>::max();
        expected(fmt::format("a count from {} to {}", kLeast, kMost), node, where);
      }
      *static_cast<T*>(field) = static_cast<T>(count);
    } else {
      *static_cast<T*>(field) = read_number(node, where);
    }
  }
  Json json(const void* field) const final { return *static_cast<const T*>(field); }
  bool is_number() const final { return true; }
};

}  // namespace

template <>
const Kind& kind_of<bool>() {
  static const BoolKind kind;
  return kind;
}

template <>
const Kind& kind_of<std::string>() {
  static const TextKind kind;
  return kind;
}

template <>
const Kind& kind_of<int>() {
  static const NumberKind<int> kind;
  return kind;
}

template <>
const Kind& kind_of<std::int64_t>() {
  static const NumberKind<std::int64_t> kind;
  return kind;
}

template <>
const Kind& kind_of<double>() {
  static const NumberKind<double> kind;
  return kind;
}

std::size_t find_word(const std::string& what, const std::string& word, const std::vector<std::string>& known) {
  const auto found = std::ranges::find(known, word);
  if (found == known.end()) {
    throw input_error("{}: '{}' is not one of {}{}", what, word, listed(known),
                      did_you_mean(nearest_word(word, known)));
  }
  return static_cast<std::size_t>(found - known.begin());
}

namespace fields_detail {

void EnumKind::read(const YAML::Node& node, void* field, const std::string& where) const {
  choose(field, find_word(at(node, where), scalar(node, where, "a word"), words()));
}

Json EnumKind::json(const void* field) const {
  return std::string(word(field));
}

void OptionalKind::read(const YAML::Node& node, void* field, const std::string& where) const {
  if (node.IsScalar() && node.Scalar() == "auto") {
    reset(field);
    return;
  }
  try {
    item_.read(node, emplace(field), where);
  } catch (const Error& e) {
    throw Error(e.cause(), fmt::format("{}; or auto", e.what()));
  }
}

Json OptionalKind::json(const void* field) const {
  const void* item = value(field);
  return item ? item_.json(item) : Json("auto");
}

void ListKind::read(const YAML::Node& node, void* field, const std::string& where) const {
  clear(field);
  if (!node.IsSequence()) return item_.read(node, append(field), where);
  int index = 0;
  for (const auto& item : node) item_.read(item, append(field), fmt::format("{}[{}]", where, index++));
}

Json ListKind::json(const void* field) const {
  Json json = Json::array();
  for (const void* item : items(field)) json.push_back(item_.json(item));
  return json;
}

void ListKind::describe(std::string& text, int indent, void*) const {
  item_.describe(text, indent, default_item().get());
}

void NamedListKind::read(const YAML::Node& node, void* field, const std::string& where) const {
  if (!node.IsMap()) expected("a map", node, where);
  clear(field);
  std::set<std::string> seen;
  for (const auto& item : node) {
    const std::string& name = item.first.Scalar();
    if (!seen.insert(name).second) throw input_error("{} is there twice", at(item.first, within(where, name)));
    item_.read(item.second, append(field, name), within(where, name));
  }
}

Json NamedListKind::json(const void* field) const {
  Json json = Json::object();
  for (const auto& [name, item] : items(field)) json[name] = item_.json(item);
  return json;
}

void NamedListKind::describe(std::string& text, int indent, void*) const {
  std::string inside;
  item_.describe(inside, indent + 2, default_item().get());
  if (!inside.empty()) text += fmt::format("{:{}}NAME:\n", "", indent) + inside;
}

void StructKind::read(const YAML::Node& node, void* field, const std::string& where) const {
  if (node.IsScalar() && read_word(field, node.Scalar())) return;
  if (!node.IsMap()) expected("a map of settings", node, where);
  std::vector<std::string> known;
  for (const Field& each : fields(field)) {
    known.emplace_back(each.key);
    if (const auto child = node[known.back()]; child.IsDefined()) {
      each.kind->read(child, each.value, within(where, known.back()));
    }
  }
  std::set<std::string> seen;
  for (const auto& item : node) {
    const std::string& key = item.first.Scalar();
    if (std::ranges::find(known, key) == known.end()) {
      throw input_error("{} is not a setting{}", at(item.first, within(where, key)),
                        did_you_mean(nearest_word(key, known), "known here: " + listed(known)));
    }
    // yaml-cpp would take the first one
    if (!seen.insert(key).second) throw input_error("{} is there twice", at(item.first, within(where, key)));
  }
}

Json StructKind::json(const void* field) const {
  Json json = Json::object();
  // fields hands out where they are; they are only read
  for (const Field& each : fields(const_cast<void*>(field))) json[std::string(each.key)] = each.kind->json(each.value);
  return json;
}

void StructKind::describe(std::string& text, int indent, void* field) const {
  for (const Field& each : fields(field)) {
    const Json json = each.kind->json(each.value);
    const std::string shown = json.is_string()                   ? json.get<std::string>()
                              : json.is_object() || json.empty() ? ""
                                                                 : json.dump();
    const std::string head = fmt::format("{:{}}{}{}{}", "", indent, each.key, shown.empty() ? "" : ": ", shown);
    text += fmt::format("{:<34} {}\n", head, each.help);
    each.kind->describe(text, indent + 2, each.value);
  }
}

}  // namespace fields_detail
}  // namespace btm
