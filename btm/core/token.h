// The type of a token's id, shared by the tokenizer and the models.
#pragma once

#include <cstdint>

namespace btm {

using TokenId = std::int32_t;

inline constexpr TokenId kNoToken = -1;  // as a target: this position counts for nothing

}  // namespace btm
