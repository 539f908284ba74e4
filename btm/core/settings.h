// Settings are plain structs whose fields are listed once, in `visit(settings, f)`; reading YAML and JSON, writing JSON
// and the help text all come from that list:
//
//   struct TrainingSettings { std::int64_t batch_tokens = 8192; };
//   template <class F> void visit(TrainingSettings& s, F&& f) {
//     f("batch_tokens", s.batch_tokens, "tokens per update");
//   }
//
// Field types: bool, int, int64 ("16k", "4M"), double, string, std::optional ("auto" = nullopt), std::vector (a lone
// value reads as a list of one), NamedList (YAML map in file order), enums with `names(E)`, and structs with a visit of
// their own. A struct with `void read_scalar(T&, const std::string&)` may also be written as one word.
#pragma once

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm {

using Json = nlohmann::ordered_json;

template <class T>
using NamedList = std::vector<std::pair<std::string, T>>;

// The word that stands for the value of an enum in files.
template <class T>
std::string_view to_word(T value) {
  for (const auto& [known, name] : names(value)) {
    if (known == value) return name;
  }
  return "";
}

namespace settings_detail {

struct NullVisitor {
  template <class T>
  void operator()(std::string_view, T&, std::string_view) {}
};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsNamedList : std::false_type {};
template <class T>
struct IsNamedList<NamedList<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
concept Visited = requires(T& t, NullVisitor v) {
  visit(t, v);
};
template <class T>
concept ScalarToo = requires(T& t, const std::string& s) {
  read_scalar(t, s);
};

std::string at(const YAML::Node& node, const std::string& where);  // "line 3: training.clip"
std::string scalar(const YAML::Node& node, const std::string& where, const char* expected);
double read_double(const YAML::Node& node, const std::string& where);
bool read_bool(const YAML::Node& node, const std::string& where);
std::int64_t read_count(const YAML::Node& node, const std::string& where);
[[noreturn]] void unknown_key(const YAML::Node& key, const std::string& where, const std::vector<std::string>& known);
[[noreturn]] void repeated_key(const YAML::Node& key, const std::string& where);  // yaml-cpp would take the first one
[[noreturn]] void unknown_name(const YAML::Node& node, const std::string& where, const std::vector<std::string>& known);
[[noreturn]] void expected_kind(const YAML::Node& node, const std::string& where, const char* expected);

template <class T>
void read(const YAML::Node& node, T& field, const std::string& where);

class Reader {
 public:
  Reader(const YAML::Node& node, std::string where) : node_(node), where_(std::move(where)) {}

  template <class T>
  void operator()(std::string_view key, T& field, std::string_view) {
    known_.emplace_back(key);
    if (auto child = node_[known_.back()]; child.IsDefined()) {
      read(child, field, where_.empty() ? known_.back() : where_ + "." + known_.back());
    }
  }

  void check_keys() const {
    std::set<std::string> seen;
    for (const auto& item : node_) {
      if (std::find(known_.begin(), known_.end(), item.first.Scalar()) == known_.end()) {
        unknown_key(item.first, where_, known_);
      }
      if (!seen.insert(item.first.Scalar()).second) repeated_key(item.first, where_);
    }
  }

 private:
  YAML::Node node_;
  std::string where_;
  std::vector<std::string> known_;
};

template <class T>
void read(const YAML::Node& node, T& field, const std::string& where) {
  if constexpr (std::is_same_v<T, bool>) {
    field = read_bool(node, where);
  } else if constexpr (std::is_integral_v<T>) {
    field = static_cast<T>(read_count(node, where));
  } else if constexpr (std::is_floating_point_v<T>) {
    field = read_double(node, where);
  } else if constexpr (std::is_same_v<T, std::string>) {
    field = scalar(node, where, "a text");
  } else if constexpr (std::is_enum_v<T>) {
    std::string word = scalar(node, where, "a word");
    std::vector<std::string> known;
    for (const auto& [value, name] : names(T{})) {
      if (name == word) {
        field = value;
        return;
      }
      known.emplace_back(name);
    }
    unknown_name(node, where, known);
  } else if constexpr (IsOptional<T>::value) {
    if (node.IsScalar() && node.Scalar() == "auto") {
      field.reset();
    } else {
      read(node, field.emplace(), where);
    }
  } else if constexpr (IsNamedList<T>::value) {
    if (!node.IsMap()) expected_kind(node, where, "a map");
    field.clear();
    for (const auto& item : node) {
      auto& [name, value] = field.emplace_back();
      name = item.first.Scalar();
      read(item.second, value, where + "." + name);
    }
  } else if constexpr (IsVector<T>::value) {
    field.clear();
    if (node.IsSequence()) {
      int index = 0;
      for (const auto& item : node) read(item, field.emplace_back(), fmt::format("{}[{}]", where, index++));
    } else {
      read(node, field.emplace_back(), where);
    }
  } else {
    static_assert(Visited<T>, "a settings field needs a visit of its own");
    if constexpr (ScalarToo<T>) {
      if (node.IsScalar()) {
        read_scalar(field, node.Scalar());
        return;
      }
    }
    if (!node.IsMap()) expected_kind(node, where, "a map of settings");
    Reader reader(node, where);
    visit(field, reader);
    reader.check_keys();
  }
}

template <class T>
Json to_json(const T& field) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(to_word(field));
  } else if constexpr (IsOptional<T>::value) {
    return field ? to_json(*field) : Json("auto");
  } else if constexpr (IsNamedList<T>::value) {
    Json json = Json::object();
    for (const auto& [name, value] : field) json[name] = to_json(value);
    return json;
  } else if constexpr (IsVector<T>::value) {
    Json json = Json::array();
    for (const auto& value : field) json.push_back(to_json(value));
    return json;
  } else if constexpr (Visited<T>) {
    Json json = Json::object();
    auto writer = [&json](std::string_view key, const auto& value, std::string_view) {
      json[std::string(key)] = to_json(value);
    };
    visit(const_cast<T&>(field), writer);  // visit only hands references out; the writer takes them as const
    return json;
  } else {
    return field;
  }
}

template <class T>
void describe(std::string& text, int indent, T& settings) {
  auto line = [&text, indent](std::string_view key, auto& value, std::string_view help) {
    using Field = std::remove_cvref_t<decltype(value)>;
    std::string shown;
    if constexpr (Visited<Field>) {
      shown = "";
    } else {
      Json json = to_json(value);
      if (!json.empty() && !(json.is_string() && json.template get<std::string>().empty())) {
        shown = json.is_string() ? json.template get<std::string>() : json.dump();
      }
    }
    std::string head = fmt::format("{:{}}{}{}{}", "", indent, key, shown.empty() ? "" : ": ", shown);
    fmt::format_to(std::back_inserter(text), "{:<34} {}\n", head, help);
    if constexpr (Visited<Field>) {
      describe(text, indent + 2, value);
    } else if constexpr (IsNamedList<Field>::value) {
      if constexpr (Visited<typename Field::value_type::second_type>) {
        fmt::format_to(std::back_inserter(text), "{:{}}NAME:\n", "", indent + 2);
        typename Field::value_type::second_type item{};
        describe(text, indent + 4, item);
      }
    } else if constexpr (IsVector<Field>::value) {
      if constexpr (Visited<typename Field::value_type>) {
        typename Field::value_type item{};
        describe(text, indent + 2, item);
      }
    }
  };
  visit(settings, line);
}

}  // namespace settings_detail

// Parses YAML (of which JSON is a part); `name` is the file's name for messages. Throws Error(input) with the line.
YAML::Node parse_yaml(const std::string& text, const std::string& name);

// "training.batch_tokens=16k" put into the tree. Throws Error(input) if it has no "=".
void apply_override(YAML::Node& root, const std::string& assignment);

// Reads every field that the tree has; what it lacks keeps its value. Throws Error(input): unknown key (naming the
// nearest known one), wrong type, with the line and the path of the key.
template <class T>
void read_settings(const YAML::Node& node, T& settings, const std::string& name) {
  try {
    settings_detail::read(node, settings, "");
  } catch (const Error& e) {
    throw Error(e.cause(), name + ": " + e.what());
  }
}

// Every field, in the order of visit.
template <class T>
Json settings_json(const T& settings) {
  return settings_detail::to_json(settings);
}

// One line a field: name, default, meaning; nested fields indented.
template <class T>
std::string settings_help() {
  T defaults{};
  std::string text;
  settings_detail::describe(text, 0, defaults);
  return text;
}

std::string to_yaml(const Json& json);  // block style, for people

}  // namespace btm
