// How much one call of a model on a CPU takes.
#pragma once

#include <algorithm>

namespace btm {

// Enough rows for the GEMMs; the activations of more only leave the caches.
inline int sequences_per_call(int length) {
  constexpr int kTokens = 2048;
  return std::max(1, kTokens / length);
}

}  // namespace btm
