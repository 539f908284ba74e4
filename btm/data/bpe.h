// Byte-pair encoding of one word (Sennrich et al. 2016, arXiv 1508.07909), on bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "btm/data/pair_map.h"
#include "btm/data/tokenizer.h"

namespace btm {

// The ids of words seen lately, with memory that is reused between words. One per thread; about 2 MiB.
class BpeScratch {
 public:
  BpeScratch();

 private:
  friend class Bpe;
  static constexpr std::size_t kMostIds = 7;

  // A word of at most 32 bytes as overlapping loads, which with its length determine it.
  struct Key {
    std::array<std::uint64_t, 4> loads;
    std::uint8_t length;
    std::uint64_t hash() const;
    bool operator==(const Key&) const = default;
  };
  struct alignas(64) Entry {  // a cache line
    std::array<std::uint64_t, 4> loads{};
    std::array<TokenId, kMostIds> ids{};
    std::uint8_t length = 0;  // of the word; 0: empty entry
    std::uint8_t count = 0;   // of ids
    bool holds(const Key& key) const { return length == key.length && loads == key.loads; }
  };
  struct Symbol {
    TokenId id;
    std::int32_t rank;           // of the merge with the next symbol
    TokenId merged;              // what that merge gives
    std::int32_t before, after;  // neighbours; used for long words only
  };

  static Key key_of(std::string_view word);
  const Entry* find(const Key& key) const;
  void keep(const Key& key, std::span<const TokenId> ids);

  std::vector<Entry> entries_;
  std::vector<Symbol> symbols_;
  std::vector<std::uint64_t> heap_;
};

class Bpe {
 public:
  struct Merge {
    std::int32_t rank;
    TokenId merged;
  };

  // Id of a byte on its own; bytes without one are passed over, as in `tokenizers`.
  void set_byte(unsigned char byte, TokenId id) { bytes_[byte] = id; }
  // Ranks rise with priority falling; a pair that comes again takes the later rank, as in `tokenizers`.
  void add_merge(TokenId first, TokenId second, Merge merge) { merges_[pair_key(first, second)] = merge; }
  // Words that are taken whole without merging (`ignore_merges`).
  void add_whole(std::string word, TokenId id) { whole_.emplace(std::move(word), id); }

  // Appends the ids of a word.
  void encode(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& ids) const;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  void compute(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& ids) const;
  void rate(BpeScratch::Symbol& symbol, TokenId next) const;
  void merge_short(std::vector<BpeScratch::Symbol>& symbols) const;
  void merge_long(BpeScratch& scratch) const;

  std::array<TokenId, 256> bytes_ = [] {
    std::array<TokenId, 256> none;
    none.fill(-1);
    return none;
  }();
  PairMap<Merge> merges_;
  std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>> whole_;
};

}  // namespace btm
