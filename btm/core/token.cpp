#include "btm/core/token.h"

#include <algorithm>

#include "btm/core/error.h"

namespace btm {

void check_tokens(std::span<const TokenId> tokens, int vocab_size, const std::string& where) {
  const auto [least, most] = std::ranges::minmax_element(tokens);
  if (least == tokens.end() || (*least >= 0 && *most < vocab_size)) return;
  throw input_error("{}: token {} is not of the model's vocabulary of {}; the tokens were made with another tokenizer",
                    where, *least < 0 ? *least : *most, vocab_size);
}

}  // namespace btm
