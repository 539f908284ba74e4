#include "btm/core/settings.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/seal.h"

namespace btm {

namespace {

// Up to 0.8, yaml-cpp makes empty documents without end of what it can't go on from, as of a lone comma (its issue
// 1040).
class DocumentStarts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos == last_) throw YAML::ParserException(mark, "this can't stand here");
    last_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int last_ = -1;
};

void check_that_it_ends(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  for (DocumentStarts starts; parser.HandleNextDocument(starts);) {
  }
}

}  // namespace

YAML::Node parse_yaml(const std::string& text, const std::string& name) {
  try {
    check_that_it_ends(text);
    std::vector<YAML::Node> documents = YAML::LoadAll(text);
    std::erase_if(documents, [](const YAML::Node& document) { return document.IsNull(); });  // as of a last "---"
    if (documents.size() > 1) throw input_error("{}: has {} YAML documents; only one is read", name, documents.size());
    return documents.empty() ? YAML::Node() : documents.front();
  } catch (const YAML::Exception& e) {
    throw input_error("{}: line {}: {}", name, e.mark.line + 1, e.msg);
  }
}

namespace {

// Copies nodes whose errors name no line: it would be taken for one of the file that they are put into. A node with
// several aliases, one within itself too, stays one.
class LineRemover {
 public:
  YAML::Node copy(const YAML::Node& node) {
    for (const auto& [original, known] : copies_) {
      if (original.is(node)) return known;
    }
    YAML::Node made(node.Type());
    copies_.emplace_back(node, made);
    if (node.IsScalar()) {
      made = node.Scalar();
    } else if (node.IsSequence()) {
      for (const auto& item : node) made.push_back(copy(item));
    } else if (node.IsMap()) {
      for (const auto& entry : node) made.force_insert(entry.first.Scalar(), copy(entry.second));  // also one twice
    }
    return made;
  }

 private:
  std::vector<std::pair<YAML::Node, YAML::Node>> copies_;  // of what
};

}  // namespace

YAML::Node load_yaml(const fs::path& file) {
  return parse_yaml(unsealed(read_file(file)), file.string());
}

YAML::Node shallow_copy(const YAML::Node& node) {
  if (!node.IsMap() && !node.IsSequence()) return node;
  YAML::Node made(node.Type());
  if (node.IsSequence()) {
    for (std::size_t i = 0; i < node.size(); ++i) made[i] = node[i];
    return made;
  }
  for (const auto& entry : node) {
    if (made[entry.first].IsDefined()) {
      made.force_insert(entry.first, entry.second);  // twice, which the reader reports
    } else {
      made[entry.first] = entry.second;
    }
  }
  return made;
}

void apply_override(YAML::Node& root, const std::string& assignment) {
  auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw input_error("--set {}: write KEY=VALUE, for example training.batch_tokens=16k", assignment);
  }
  YAML::Node value = LineRemover().copy(parse_yaml(assignment.substr(equals + 1), "--set " + assignment));
  std::string path = assignment.substr(0, equals);
  for (std::size_t at; (at = path.find_first_of("[]")) != std::string::npos;) {  // cycles[0].tokens, as errors have it
    path.replace(at, 1, path[at] == '[' ? "." : "");
  }
  root = shallow_copy(root);
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
    if (next.IsDefined()) next = shallow_copy(next);
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
