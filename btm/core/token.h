// The type of a token's id, shared by the tokenizer and the models.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace btm {

using TokenId = std::int32_t;

inline constexpr TokenId kNoToken = -1;  // as a target: this position counts for nothing

// Throws Error(input), which begins with `where`, if an id is not of the vocabulary.
void check_tokens(std::span<const TokenId> tokens, int vocab_size, const std::string& where);

}  // namespace btm
