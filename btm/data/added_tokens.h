// Tokens that are cut out of the text before it is split into words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "btm/data/pair_map.h"
#include "btm/data/tokenizer.h"

namespace btm {

// As in tokenizer.json.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  // only where no word character stands beside it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and after it
  bool normalized = false;   // is looked for in the normalised text
  bool special = false;      // stands for no text: left out when decoding
};

struct TextPart {
  TokenId id;  // -1: text between added tokens
  std::string_view text;
};

// Finds a set of added tokens, the leftmost and then the longest, as `tokenizers` does.
class AddedTokenFinder {
 public:
  void add(const AddedToken& token, std::string_view pattern);  // pattern: its content, normalised if that is asked for
  bool empty() const { return tokens_.empty(); }
  // Appends the parts of the text in order.
  void split(std::string_view text, std::vector<TextPart>& parts) const;

 private:
  struct Match {
    const AddedToken* token;
    std::size_t begin, end;
  };
  bool find(std::string_view text, std::size_t from, Match& match) const;

  std::vector<AddedToken> tokens_;
  PairMap<std::int32_t> next_;          // trie: (node, byte) -> node
  std::vector<std::int32_t> ends_{-1};  // by node: index of the token that ends there, or -1
  bool starts_[256] = {};               // bytes that begin a token
};

}  // namespace btm
