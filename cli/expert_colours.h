// Which expert a token is of: on a terminal the text in the experts' colours, elsewhere a table.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btm/data/tokenizer.h"
#include "btm/report/text_table.h"

namespace btm {

// The text without what would be an order to the terminal, and with replacements for invalid UTF-8, in the colour of
// the expert of that index.
std::string painted(std::string text, std::size_t expert);

std::string colour_key(std::span<const std::string> experts);  // their names, each in its colour

// A row for each token.
class TokenTable {
 public:
  explicit TokenTable(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  void add(TokenId token, const std::string& expert, double weight);
  std::string text() const { return to_text(table_); }

 private:
  const Tokenizer& tokenizer_;
  TextTable table_{{{"token", Align::left}, {"expert", Align::left}, {"weight"}}, {}};
};

}  // namespace btm
