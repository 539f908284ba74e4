// How a batch is cut into calls of the model, and among threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace btm {

// Of one call on a CPU: enough rows for the GEMMs; the activations of more only leave the caches.
inline int sequences_per_call(int length) {
  constexpr int kTokens = 2048;
  return std::max(1, kTokens / length);
}

// Sequences from `at` on, before `end`, that one call of a pass takes: at most `most`, and of one domain where
// `domains` (of each sequence; empty: any go together) tells them apart.
inline std::size_t call_size(std::size_t at, std::size_t end, std::size_t most, std::span<const int> domains) {
  end = std::min(end, at + most);
  std::size_t next = at + 1;
  while (next < end && (domains.empty() || domains[next] == domains[at])) ++next;
  return next - at;
}

// How many threads train each sequence of a batch together, on `ranks` ranks of `threads` threads: one where every
// thread has about as many sequences of its own, else a number that divides `threads` and leaves the fewest of them
// idle; more where a model of so many parameters, whose gradients such threads share, has too many copies of them
// otherwise.
int threads_per_sequence(std::size_t parameters, std::size_t sequences, int length, int threads, int ranks);

}  // namespace btm
