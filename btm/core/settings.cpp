#include "btm/core/settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace btm {

YAML::Node parse_yaml(const std::string& text, const std::string& name) {
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& e) {
    throw input_error("{}: line {}: {}", name, e.mark.line + 1, e.msg);
  }
}

namespace {

// A copy whose errors name no line: it would be taken for one of the file that the copy is put into.
YAML::Node without_lines(const YAML::Node& node) {
  YAML::Node copy(node.Type());
  if (node.IsScalar()) copy = node.Scalar();
  if (node.IsSequence()) {
    for (const auto& item : node) copy.push_back(without_lines(item));
  } else if (node.IsMap()) {
    for (const auto& entry : node) copy[entry.first.Scalar()] = without_lines(entry.second);
  }
  return copy;
}

}  // namespace

void apply_override(YAML::Node& root, const std::string& assignment) {
  auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw input_error("--set {}: write KEY=VALUE, for example training.batch_tokens=16k", assignment);
  }
  YAML::Node value = without_lines(parse_yaml(assignment.substr(equals + 1), "--set " + assignment));
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
