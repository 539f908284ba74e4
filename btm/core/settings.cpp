#include "btm/core/settings.h"

#include <cmath>

namespace btm {
namespace settings_detail {
namespace {

const char* kind_of(const YAML::Node& node) {
  return node.IsMap() ? "a map" : node.IsSequence() ? "a list" : node.IsNull() ? "nothing" : "a value";
}

std::string listed(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

std::string at(const YAML::Node& node, const std::string& where) {
  YAML::Mark mark = node.Mark();
  return mark.line >= 0 ? fmt::format("line {}: {}", mark.line + 1, where) : where;
}

void expected_kind(const YAML::Node& node, const std::string& where, const char* expected) {
  throw input_error("{} must be {}, found {}", at(node, where), expected,
                    node.IsScalar() ? fmt::format("'{}'", node.Scalar()) : kind_of(node));
}

std::string scalar(const YAML::Node& node, const std::string& where, const char* expected) {
  if (!node.IsScalar()) expected_kind(node, where, expected);
  return node.Scalar();
}

double read_double(const YAML::Node& node, const std::string& where) {
  double value = 0;
  if (!node.IsScalar() || !YAML::convert<double>::decode(node, value) || !std::isfinite(value)) {
    expected_kind(node, where, "a number");
  }
  return value;
}

bool read_bool(const YAML::Node& node, const std::string& where) {
  bool value = false;
  if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value)) expected_kind(node, where, "true or false");
  return value;
}

std::int64_t read_count(const YAML::Node& node, const std::string& where) {
  std::string text = scalar(node, where, "a count");
  try {
    return parse_count(text);
  } catch (const Error& e) {
    throw input_error("{}: {}", at(node, where), e.what());
  }
}

void unknown_key(const YAML::Node& key, const std::string& where, const std::vector<std::string>& known) {
  const std::string& name = key.Scalar();
  const std::string nearest = nearest_word(name, known);
  throw input_error("{} is not a setting; {}", at(key, where.empty() ? name : where + "." + name),
                    nearest.empty() ? "known here: " + listed(known) : fmt::format("did you mean '{}'?", nearest));
}

void repeated_key(const YAML::Node& key, const std::string& where) {
  throw input_error("{} is there twice", at(key, where.empty() ? key.Scalar() : where + "." + key.Scalar()));
}

void unknown_name(const YAML::Node& node, const std::string& where, const std::vector<std::string>& known) {
  std::string nearest = nearest_word(node.Scalar(), known);
  throw input_error("{}: '{}' is not one of {}{}", at(node, where), node.Scalar(), listed(known),
                    nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest));
}

}  // namespace settings_detail

YAML::Node parse_yaml(const std::string& text, const std::string& name) {
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& e) {
    throw input_error("{}: line {}: {}", name, e.mark.line + 1, e.msg);
  }
}

void apply_override(YAML::Node& root, const std::string& assignment) {
  auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw input_error("--set {}: write KEY=VALUE, for example training.batch_tokens=16k", assignment);
  }
  YAML::Node value = parse_yaml(assignment.substr(equals + 1), "--set " + assignment);
  std::string path = assignment.substr(0, equals);
  YAML::Node node = root;  // a handle: assignments below reach the tree
  std::size_t start = 0;
  while (true) {
    std::size_t dot = path.find('.', start);
    std::string key = path.substr(start, dot == std::string::npos ? dot : dot - start);
    bool index = !key.empty() && key.find_first_not_of("0123456789") == std::string::npos && node.IsSequence();
    if (index && (key.size() > 9 || std::stoul(key) >= node.size())) {
      throw input_error("--set {}: there are only {} entries before '{}'", assignment, node.size(), key);
    }
    if (node.IsScalar() || (node.IsSequence() && !index)) {
      throw input_error("--set {}: before '{}' is {}", assignment, key,
                        node.IsScalar() ? fmt::format("'{}', which has no keys", node.Scalar())
                                        : "a list, whose entries have the numbers 0, 1 ...");
    }
    YAML::Node next = index ? node[std::stoul(key)] : node[key];
    if (dot == std::string::npos) {
      next = value;
      return;
    }
    node.reset(next);
    start = dot + 1;
  }
}

namespace {

void emit(YAML::Emitter& out, const Json& json) {
  if (json.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, value);
    }
    out << YAML::EndMap;
  } else if (json.is_array()) {
    bool flat = std::all_of(json.begin(), json.end(), [](const Json& item) { return item.is_primitive(); });
    out << (flat ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const auto& item : json) emit(out, item);
    out << YAML::EndSeq;
  } else if (json.is_string()) {
    out << json.get<std::string>();
  } else {
    out << json.dump();
  }
}

}  // namespace

std::string to_yaml(const Json& json) {
  YAML::Emitter out;
  emit(out, json);
  return std::string(out.c_str()) + "\n";
}

}  // namespace btm
