// Log-probabilities of a token stream under one LM.
#pragma once

#include <cstdint>
#include <vector>

#include "btm/core/token.h"
#include "btm/model/parameters.h"

namespace btm {

// log p of every target of the stream, in windows of `length` inputs laid end to end: window w predicts
// tokens[w*length + 1 ... (w+1)*length] and restarts the context. Result: windows x length floats, the stream's first
// floor((tokens.size() - 1) / length) windows. Windows are split over `threads`; the result does not depend on how many.
std::vector<float> score_stream(const Model& model, const std::vector<TokenId>& tokens, int length, int threads);

}  // namespace btm
