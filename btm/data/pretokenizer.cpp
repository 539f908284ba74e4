#include "btm/data/pretokenizer.h"

#include <array>
#include <nlohmann/json.hpp>

#include "btm/core/error.h"

namespace btm {
namespace {

using nlohmann::json;

struct Piece {
  std::size_t begin, end;
  bool match;
};

// All of the text as pieces: the matches and what is between them.
std::vector<Piece> pieces_of(const SplitStep& step, std::string_view text) {
  std::vector<Piece> pieces;
  std::size_t done = 0;
  for (Regex::Search search(*step.regex, text); search.next(); done = search.end()) {
    if (done != search.begin()) pieces.push_back({done, search.begin(), step.invert});
    pieces.push_back({search.begin(), search.end(), !step.invert});
  }
  if (done != text.size()) pieces.push_back({done, text.size(), step.invert});
  return pieces;
}

// Joins a match that does not follow another match to the piece before it.
std::vector<Piece> merged_with_previous(const std::vector<Piece>& pieces) {
  std::vector<Piece> joined;
  bool after_match = false;
  for (const Piece& piece : pieces) {
    if (piece.match && !after_match && !joined.empty()) {
      joined.back().end = piece.end;
    } else {
      joined.push_back(piece);
    }
    after_match = piece.match;
  }
  return joined;
}

std::vector<Piece> merged_with_next(const std::vector<Piece>& pieces) {
  std::vector<Piece> joined;
  bool before_match = false;
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (piece->match && !before_match && !joined.empty()) {
      joined.back().begin = piece->begin;
    } else {
      joined.push_back(*piece);
    }
    before_match = piece->match;
  }
  return {joined.rbegin(), joined.rend()};
}

// Joins neighbours of the same kind. Before the first piece counts as "no match".
std::vector<Piece> contiguous(const std::vector<Piece>& pieces) {
  std::vector<Piece> joined;
  bool previous = false;
  for (const Piece& piece : pieces) {
    if (piece.match == previous && !joined.empty()) {
      joined.back().end = piece.end;
    } else {
      joined.push_back(piece);
    }
    previous = piece.match;
  }
  return joined;
}

template <class Take>
void cut(const SplitStep& step, std::string_view text, Take take) {
  using Behavior = SplitStep::Behavior;
  std::vector<Piece> pieces = pieces_of(step, text);
  if (step.behavior == Behavior::merged_with_previous) pieces = merged_with_previous(pieces);
  if (step.behavior == Behavior::merged_with_next) pieces = merged_with_next(pieces);
  if (step.behavior == Behavior::contiguous) pieces = contiguous(pieces);
  for (const Piece& piece : pieces) {
    const bool removed = step.behavior == Behavior::removed && piece.match;
    if (!removed && piece.begin < piece.end) take(text.substr(piece.begin, piece.end - piece.begin));
  }
}

std::string escaped(std::string_view text) {
  std::string pattern;
  for (const char character : text) {
    if (std::string_view("\\.+*?()|[]{}^$#&-~").find(character) != std::string_view::npos) pattern += '\\';
    pattern += character;
  }
  return pattern;
}

SplitStep::Behavior behavior_of(const std::string& name, const std::string& where) {
  static constexpr std::array<std::string_view, 5> kNames = {"Isolated", "Removed", "MergedWithPrevious",
                                                             "MergedWithNext", "Contiguous"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<SplitStep::Behavior>(i);
  }
  throw input_error("{}: Split has the unknown behavior `{}`", where, name);
}

void set_regex(SplitStep& step, const std::string& pattern, const std::string& where) {
  const bool whole =
      step.behavior == SplitStep::Behavior::isolated || (step.behavior == SplitStep::Behavior::removed && step.invert);
  // The known patterns match every character, so nothing is left between their matches.
  if (whole) step.words = known_pattern(pattern);
  if (!step.words) step.regex.emplace(pattern, where);
}

SplitStep split_step(const json& part, const std::string& where) {
  SplitStep step;
  step.behavior = behavior_of(part.at("behavior").get<std::string>(), where);
  step.invert = part.at("invert").get<bool>();
  const json& pattern = part.at("pattern");
  if (pattern.contains("String")) {
    set_regex(step, escaped(pattern.at("String").get<std::string>()), where);
  } else {
    set_regex(step, pattern.at("Regex").get<std::string>(), where);
  }
  return step;
}

SplitStep digits_step(const json& part, const std::string& where) {
  SplitStep step;
  const bool each = part.value("individual_digits", false);
  step.behavior = each ? SplitStep::Behavior::isolated : SplitStep::Behavior::contiguous;
  step.regex.emplace("\\p{N}", where);
  return step;
}

SplitStep byte_level_step(const json& part, const std::string& where) {
  SplitStep step;
  step.prefix_space = part.value("add_prefix_space", true);
  if (part.value("use_regex", true)) set_regex(step, std::string(regex_of(WordPattern::gpt2)), where);
  return step;
}

// Sequences in sequences, made flat.
void collect(const json& part, const std::string& where, std::vector<const json*>& parts) {
  const std::string type = part.is_object() ? part.value("type", "") : "";
  if (type != "Sequence") {
    parts.push_back(&part);
    return;
  }
  for (const json& inner : part.at("pretokenizers")) collect(inner, where, parts);
}

}  // namespace

PreTokenizer PreTokenizer::parse(const json& spec, const std::string& where) {
  std::vector<const json*> parts;
  collect(spec, where, parts);
  PreTokenizer made;
  for (const json* part : parts) {
    const std::string type = part->is_object() ? part->value("type", "") : "";
    if (type == "ByteLevel") {
      made.steps_.push_back(byte_level_step(*part, where));
    } else if (type == "Split") {
      made.steps_.push_back(split_step(*part, where));
    } else if (type == "Digits") {
      made.steps_.push_back(digits_step(*part, where));
    } else {
      throw input_error("{}: `{}` is not supported; supported are ByteLevel, Split, Digits and Sequence", where,
                        type.empty() ? part->dump() : type);
    }
    const bool last = part == parts.back();
    if (last != (type == "ByteLevel")) throw input_error("{}: the last step, and no other, must be ByteLevel", where);
  }
  if (parts.empty()) throw input_error("{}: it has no ByteLevel step; only byte-level tokenizers are supported", where);
  return made;
}

PreTokenizer PreTokenizer::gpt2() {
  PreTokenizer made;
  made.steps_.emplace_back().words = WordPattern::gpt2;
  return made;
}

void PreTokenizer::run(std::size_t index, std::string_view text, const Take& take) const {
  if (index == steps_.size()) return take(text);
  const SplitStep& step = steps_[index];
  std::string prefixed;
  if (step.prefix_space && !text.starts_with(' ')) {
    prefixed.reserve(text.size() + 1);
    prefixed.append(1, ' ').append(text);
    text = prefixed;
  }
  if (step.words) {
    const char* end = text.data() + text.size();
    const bool last = index + 1 == steps_.size();
    for (const char* at = text.data(); at != end;) {
      const char* stop = next_word(*step.words, at, end);
      const std::string_view word(at, static_cast<std::size_t>(stop - at));
      last ? take(word) : run(index + 1, word, take);
      at = stop;
    }
  } else if (step.regex) {
    cut(step, text, [&](std::string_view piece) { run(index + 1, piece, take); });
  } else if (!text.empty()) {
    run(index + 1, text, take);
  }
}

}  // namespace btm
