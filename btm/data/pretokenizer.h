// Cutting text into the words that BPE then works on, one at a time.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "btm/data/regex.h"
#include "btm/data/word_scanner.h"

namespace btm {

// A step of a pre-tokenizer: cuts a piece of text into smaller ones.
struct SplitStep {
  // What becomes of the matches of the pattern; the names are those of tokenizer.json.
  enum class Behavior { isolated, removed, merged_with_previous, merged_with_next, contiguous };

  bool prefix_space = false;         // put a space before a piece that has none
  std::optional<WordPattern> words;  // cut by a scanner, or else
  std::optional<Regex> regex;        // by the matches of a pattern; neither: no cut
  Behavior behavior = Behavior::isolated;
  bool invert = false;  // the pattern matches what stands between
};

class PreTokenizer {
 public:
  using Take = std::function<void(std::string_view word)>;

  // `json` is the "pre_tokenizer" of a tokenizer.json; `where` begins the message of an Error(input). The last step
  // must be ByteLevel.
  static PreTokenizer parse(const nlohmann::json& json, const std::string& where);
  // GPT-2's ByteLevel without prefix space.
  static PreTokenizer gpt2();

  // Calls `take` for each word in order. The views end with the call. Valid UTF-8 only.
  void split(std::string_view text, const Take& take) const { run(0, text, take); }

 private:
  void run(std::size_t step, std::string_view text, const Take& take) const;
  std::vector<SplitStep> steps_;
};

}  // namespace btm
