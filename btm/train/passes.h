// How a batch is cut: into parts, for threads and ranks, and these into calls of the model.
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

// Where part `part` of a batch begins that is cut into `parts`, as nearly equal as can be; part `parts` begins at its
// end.
inline std::size_t part_begin(std::size_t sequences, int part, int parts) {
  return sequences * static_cast<std::size_t>(part) / static_cast<std::size_t>(parts);
}

// Sequences of the largest part.
inline std::size_t largest_part(std::size_t sequences, int parts) {
  const auto n = static_cast<std::size_t>(parts);
  return (sequences + n - 1) / n;
}

// How many threads train each sequence of a batch together, on `ranks` ranks of `threads` threads: one where every
// thread has about as many sequences of its own, else a number that divides `threads` and leaves the fewest of them
// idle; more where a model of so many parameters, whose gradients such threads share, has too many copies of them
// otherwise.
int threads_per_sequence(std::size_t parameters, std::size_t sequences, int length, int threads, int ranks);

}  // namespace btm
