// Training sequences as a pure function of (data, seed, index): any order of workers, any resume sees the same ones.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "btm/data/token_store.h"

namespace btm {

// Endless stream over one or more domains, balanced: every round of `domains` consecutive sequences has one of each, in
// a shuffled order. Within a domain each epoch shuffles the documents, lays them end to end (each ends with the
// end-of-text token already in the store) and cuts the whole into sequences; what is left over at the end of an epoch
// opens the next one. So every token of an epoch is an input exactly once, and a small domain goes round more often.
class SequenceStream {
 public:
  // The stores outlive the stream. Throws Error(input) if a domain has fewer than length + 1 tokens.
  SequenceStream(const std::vector<const TokenStore*>& domains, int length, std::uint64_t seed);
  ~SequenceStream();

  // Fills `tokens` [length + 1]: inputs are the first `length`, targets the last `length` (so the last one is the first
  // input of the domain's next sequence). One thread at a time. Cheap for rising indices; each new epoch of a domain
  // costs a shuffle of its documents and 12 bytes of memory a document.
  void read(std::int64_t index, std::span<TokenId> tokens);

  std::size_t domain(std::int64_t index);  // whose sequence it is

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace btm
