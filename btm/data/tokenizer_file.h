// tokenizer.json of Hugging Face: what the tokenizer needs of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "btm/data/added_tokens.h"
#include "btm/data/bpe.h"
#include "btm/data/pretokenizer.h"

namespace btm {

struct TokenizerFile {
  Bpe bpe;
  PreTokenizer words;
  bool nfc = false;
  std::vector<std::string> pieces;  // by id: the bytes it stands for; added tokens: their content
  std::vector<AddedToken> added;
};

// Throws Error(input) beginning with `name` and the part of the file that is broken or not supported.
TokenizerFile parse_tokenizer_file(std::string_view text, const std::string& name);

// A file with GPT-2's pre-tokenizer. `tokens` by id and `merges` are in bytes; `special` is the id after them.
std::string write_tokenizer_file(const std::vector<std::string>& tokens,
                                 const std::vector<std::pair<TokenId, TokenId>>& merges, const std::string& special);

}  // namespace btm
