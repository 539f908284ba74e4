#include "btm/data/bpe.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

namespace btm {
namespace {

constexpr std::size_t kLongestKept = 32;      // bytes of a word in the cache
constexpr std::size_t kSets = 1 << 14;        // of two entries each
constexpr std::size_t kLongestScanned = 100;  // symbols; longer words take a heap
constexpr std::int32_t kNoMerge = std::numeric_limits<std::int32_t>::max();

template <class Word>
std::uint64_t load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

BpeScratch::BpeScratch() : entries_(2 * kSets) {}

BpeScratch::Key BpeScratch::key_of(std::string_view word) {
  const char* at = word.data();
  const std::size_t size = word.size();
  Key key{{}, static_cast<std::uint8_t>(size)};
  if (size >= 8) {
    key.loads[0] = load<std::uint64_t>(at);
    key.loads[1] = load<std::uint64_t>(at + size - 8);
    if (size > 16) {
      key.loads[2] = load<std::uint64_t>(at + 8);
      key.loads[3] = load<std::uint64_t>(at + size - 16);
    }
  } else if (size >= 4) {
    key.loads[0] = load<std::uint32_t>(at) | load<std::uint32_t>(at + size - 4) << 32;
  } else if (size > 0) {
    key.loads[0] =
        load<std::uint8_t>(at) | load<std::uint8_t>(at + size / 2) << 8 | load<std::uint8_t>(at + size - 1) << 16;
  }
  return key;
}

std::uint64_t BpeScratch::Key::hash() const {
  constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15u, kSecond = 0xbf58476d1ce4e5b9u;  // of splitmix64
  std::uint64_t sum = (loads[0] + length) * kFirst;
  sum = (sum ^ sum >> 32 ^ loads[1]) * kSecond;
  if (length > 16) {
    sum = (sum ^ sum >> 32 ^ loads[2]) * kFirst;
    sum = (sum ^ sum >> 32 ^ loads[3]) * kSecond;
  }
  return sum ^ sum >> 32;
}

const BpeScratch::Entry* BpeScratch::find(const Key& key) const {
  const Entry* set = &entries_[2 * (key.hash() & (kSets - 1))];
  if (set[0].holds(key)) return &set[0];
  if (set[1].holds(key)) return &set[1];
  return nullptr;
}

void BpeScratch::keep(const Key& key, std::span<const TokenId> ids) {
  if (ids.size() > kMostIds) return;
  Entry* set = &entries_[2 * (key.hash() & (kSets - 1))];
  set[1] = set[0];
  set[0].loads = key.loads;
  set[0].length = key.length;
  set[0].count = static_cast<std::uint8_t>(ids.size());
  std::ranges::copy(ids, set[0].ids.begin());
}

void Bpe::encode(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& ids) const {
  if (word.empty()) return;
  if (word.size() > kLongestKept) return compute(word, scratch, ids);
  const BpeScratch::Key key = BpeScratch::key_of(word);
  if (const BpeScratch::Entry* known = scratch.find(key)) {
    ids.insert(ids.end(), known->ids.begin(), known->ids.begin() + known->count);
    return;
  }
  const std::size_t before = ids.size();
  compute(word, scratch, ids);
  scratch.keep(key, std::span(ids).subspan(before));
}

void Bpe::compute(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& ids) const {
  if (!whole_.empty()) {
    if (const auto known = whole_.find(word); known != whole_.end()) return ids.push_back(known->second);
  }
  auto& symbols = scratch.symbols_;
  symbols.clear();
  for (const char byte : word) {
    const TokenId id = bytes_[static_cast<unsigned char>(byte)];
    if (id < 0) continue;
    if (!symbols.empty()) rate(symbols.back(), id);
    symbols.push_back({id, kNoMerge, 0, 0, 0});
  }
  if (symbols.size() <= kLongestScanned) {
    merge_short(symbols);
  } else {
    merge_long(scratch);
  }
  for (const auto& symbol : symbols) ids.push_back(symbol.id);
}

// Sets the merge of a symbol with the one after it.
void Bpe::rate(BpeScratch::Symbol& symbol, TokenId next) const {
  const Merge* merge = merges_.find(pair_key(symbol.id, next));
  symbol.rank = merge != nullptr ? merge->rank : kNoMerge;
  symbol.merged = merge != nullptr ? merge->merged : 0;
}

void Bpe::merge_short(std::vector<BpeScratch::Symbol>& symbols) const {
  while (symbols.size() > 1) {
    const auto best = std::ranges::min_element(symbols, {}, &BpeScratch::Symbol::rank);
    if (best->rank == kNoMerge) return;
    const auto after = symbols.erase(best + 1);  // best stays valid: it is before
    best->id = best->merged;
    best->rank = kNoMerge;
    if (after != symbols.end()) rate(*best, after->id);
    if (best != symbols.begin()) rate(*(best - 1), best->id);
  }
}

// The same with a heap of (rank, place), so that a word of a megabyte is not quadratic. Entries whose symbol has
// another rank by now are out of date.
void Bpe::merge_long(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols_;
  auto& heap = scratch.heap_;
  heap.clear();
  const auto entry = [&](std::int32_t at) { return pair_key(symbols[at].rank, at); };
  const auto size = static_cast<std::int32_t>(symbols.size());
  for (std::int32_t at = 0; at < size; ++at) {
    symbols[at].before = at - 1;
    symbols[at].after = at + 1 < size ? at + 1 : -1;
    if (symbols[at].rank != kNoMerge) heap.push_back(entry(at));
  }
  std::ranges::make_heap(heap, std::greater{});
  const auto rate_again = [&](std::int32_t at) {
    rate(symbols[at], symbols[symbols[at].after].id);
    if (symbols[at].rank == kNoMerge) return;
    heap.push_back(entry(at));
    std::ranges::push_heap(heap, std::greater{});
  };
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, std::greater{});
    const std::uint64_t top = heap.back();
    heap.pop_back();
    const auto at = static_cast<std::int32_t>(top & 0xffffffffu);
    BpeScratch::Symbol& symbol = symbols[at];
    if (symbol.rank != static_cast<std::int32_t>(top >> 32)) continue;
    BpeScratch::Symbol& eaten = symbols[symbol.after];
    symbol.id = symbol.merged;
    symbol.rank = eaten.rank = kNoMerge;
    symbol.after = eaten.after;
    eaten.id = -1;
    if (symbol.after >= 0) {
      symbols[symbol.after].before = at;
      rate_again(at);
    }
    if (symbol.before >= 0) rate_again(symbol.before);
  }
  std::erase_if(symbols, [](const BpeScratch::Symbol& symbol) { return symbol.id < 0; });
}

}  // namespace btm
