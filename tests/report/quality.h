// Qualities as an evaluation holds them, made up.
#pragma once

#include "btm/core/json.h"

namespace btm::test {

inline Json quality(double perplexity) {
  return {{"perplexity", perplexity}, {"bits_per_byte", perplexity / 40}};
}

}  // namespace btm::test
