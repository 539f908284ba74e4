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

#include <filesystem>
#include <string>

#include "btm/core/error.h"
#include "btm/core/fields.h"

namespace btm {

// Parses YAML (of which JSON is a part); `name` is the file's name for messages. Throws Error(input) with the line.
YAML::Node parse_yaml(const std::string& text, const std::string& name);

YAML::Node load_yaml(const std::filesystem::path& file);  // without its seal, if it has one

// A map or list of the same entries. In a document an anchor and its aliases are one node: what is assigned to an entry
// of the copy changes none of them, but the entries' own entries are still theirs, too.
YAML::Node shallow_copy(const YAML::Node& node);

// "training.batch_tokens=16k" put into the tree. Throws Error(input) if it has no "=".
void apply_override(YAML::Node& root, const std::string& assignment);

// Reads every field that the tree has; what it lacks keeps its value. Throws Error(input): unknown key (naming the
// nearest known one), wrong type, with the line and the path of the key.
template <class T>
void read_settings(const YAML::Node& node, T& settings, const std::string& name) {
  with_context(name, [&] { kind_of<T>().read(node, &settings, ""); });
}

// The same of a whole YAML or JSON file, with or without a seal (seal.h).
template <class T>
T load_settings(const std::filesystem::path& file) {
  T settings;
  read_settings(load_yaml(file), settings, file.string());
  return settings;
}

// Every field, in the order of visit.
template <class T>
Json settings_json(const T& settings) {
  return kind_of<T>().json(&settings);
}

// One line a field: name, default, meaning; nested fields indented.
template <class T>
std::string settings_help() {
  T defaults{};
  std::string text;
  kind_of<T>().describe(text, 0, &defaults);
  return text;
}

std::string to_yaml(const Json& json);  // block style, for people

}  // namespace btm
