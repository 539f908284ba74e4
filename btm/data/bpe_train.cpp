#include "btm/data/bpe_train.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <span>
#include <unordered_map>

#include "btm/core/error.h"
#include "btm/data/bpe_words.h"
#include "btm/data/byte_alphabet.h"
#include "btm/data/pair_map.h"
#include "btm/data/tokenizer_file.h"

namespace btm {
namespace {

constexpr const char* kEndOfText = "<|endoftext|>";

using WordIndex = std::uint32_t;

struct Word {
  std::size_t begin;  // in the symbols of all words
  std::uint32_t size;
  std::int64_t count;
};

// A pair to be merged, with the words where it came up.
struct Candidate {
  std::int64_t count;
  std::uint64_t pair;
  std::vector<WordIndex> words;

  bool operator<(const Candidate& other) const {  // of equal counts the smaller pair of ids goes first
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

// The counts of pairs are those of `tokenizers`' BpeTrainer, and so are the merges. This includes what happens when two
// pairs make the same token ("--" + "-" and "-" + "--"): the token then exists already, pairs with it may be listed as
// candidates several times, and the count of a merged pair is not reset. A pair that is merged again moves to its later
// rank.
class Learner {
 public:
  explicit Learner(std::span<const WordCount> words);
  void learn(std::size_t vocabulary);  // until there are so many tokens, or no pairs are left
  const std::vector<std::string>& tokens() const { return tokens_; }
  std::vector<std::pair<TokenId, TokenId>> merges() const;

 private:
  // Pairs that a step made, with the words that have them now.
  struct Fresh {
    PairMap<std::uint32_t> index;  // 1 + place in `lists`
    std::vector<std::pair<std::uint64_t, std::vector<WordIndex>>> lists;
    void add(std::uint64_t pair, WordIndex word);
  };

  void count_pairs();
  void enqueue(Fresh& fresh);
  void merge(const Candidate& candidate);
  void merge_in(WordIndex index, TokenId first, TokenId second, TokenId made, Fresh& fresh);
  TokenId token_of(TokenId first, TokenId second);

  std::vector<TokenId> symbols_;
  std::vector<Word> words_;
  std::vector<std::string> tokens_;  // bytes by id
  std::unordered_map<std::string, TokenId> ids_;
  PairMap<std::int64_t> counts_;
  std::priority_queue<Candidate> queue_;
  std::vector<std::uint64_t> merged_;  // pairs in order
};

Learner::Learner(std::span<const WordCount> words) {
  std::vector<int> bytes(256);
  std::iota(bytes.begin(), bytes.end(), 0);
  const auto letter = [](int byte) { return alphabet_char(static_cast<unsigned char>(byte)); };
  std::ranges::sort(bytes, {}, letter);  // GPT-2's ids: in the order of the letters that stand for the bytes
  std::vector<TokenId> id_of(256);
  for (const int byte : bytes) {
    id_of[static_cast<std::size_t>(byte)] = static_cast<TokenId>(tokens_.size());
    tokens_.emplace_back(1, static_cast<char>(byte));
    ids_.emplace(tokens_.back(), static_cast<TokenId>(tokens_.size()) - 1);
  }
  for (const auto& [word, count] : words) {
    words_.push_back({symbols_.size(), static_cast<std::uint32_t>(word.size()), count});
    for (const char byte : word) symbols_.push_back(id_of[static_cast<unsigned char>(byte)]);
  }
  count_pairs();
}

void Learner::Fresh::add(std::uint64_t pair, WordIndex word) {
  std::uint32_t& place = index[pair];
  if (place == 0) {
    lists.emplace_back(pair, std::vector<WordIndex>{});
    place = static_cast<std::uint32_t>(lists.size());
  }
  auto& words = lists[place - 1].second;
  if (words.empty() || words.back() != word) words.push_back(word);
}

void Learner::count_pairs() {
  Fresh fresh;
  for (WordIndex index = 0; index < words_.size(); ++index) {
    const Word& word = words_[index];
    for (std::size_t at = word.begin; at + 1 < word.begin + word.size; ++at) {
      const std::uint64_t pair = pair_key(symbols_[at], symbols_[at + 1]);
      counts_[pair] += word.count;
      fresh.add(pair, index);
    }
  }
  enqueue(fresh);
}

void Learner::enqueue(Fresh& fresh) {
  for (auto& [pair, words] : fresh.lists) {
    const std::int64_t count = counts_[pair];
    if (count > 0) queue_.push({count, pair, std::move(words)});
  }
}

void Learner::learn(std::size_t vocabulary) {
  while (tokens_.size() < vocabulary && !queue_.empty()) {
    Candidate top = std::move(const_cast<Candidate&>(queue_.top()));  // popped at once
    queue_.pop();
    const std::int64_t count = counts_[top.pair];
    if (count <= 0) continue;
    if (top.count != count) {
      top.count = count;
      queue_.push(std::move(top));
    } else {
      merge(top);
    }
  }
}

TokenId Learner::token_of(TokenId first, TokenId second) {
  std::string bytes = tokens_[static_cast<std::size_t>(first)] + tokens_[static_cast<std::size_t>(second)];
  const auto [entry, made] = ids_.emplace(bytes, static_cast<TokenId>(tokens_.size()));
  if (made) tokens_.push_back(std::move(bytes));
  return entry->second;
}

void Learner::merge(const Candidate& candidate) {
  const auto first = static_cast<TokenId>(candidate.pair >> 32);
  const auto second = static_cast<TokenId>(candidate.pair & 0xffffffffu);
  const TokenId made = token_of(first, second);
  merged_.push_back(candidate.pair);
  Fresh fresh;
  for (const WordIndex index : candidate.words) merge_in(index, first, second, made, fresh);
  enqueue(fresh);
}

// Merges the pair from left to right in one word, and counts the pairs that go and come at its sides.
void Learner::merge_in(WordIndex index, TokenId first, TokenId second, TokenId made, Fresh& fresh) {
  Word& word = words_[index];
  TokenId* symbols = symbols_.data() + word.begin;
  const auto replace = [&](std::uint64_t gone, std::uint64_t come) {
    counts_[gone] -= word.count;
    counts_[come] += word.count;
    fresh.add(come, index);
  };
  std::uint32_t size = 0;
  for (std::uint32_t at = 0; at < word.size; ++at) {
    if (symbols[at] != first || at + 1 == word.size || symbols[at + 1] != second) {
      symbols[size++] = symbols[at];
      continue;
    }
    if (size > 0) replace(pair_key(symbols[size - 1], first), pair_key(symbols[size - 1], made));
    if (at + 2 < word.size) replace(pair_key(second, symbols[at + 2]), pair_key(made, symbols[at + 2]));
    symbols[size++] = made;
    ++at;
  }
  word.size = size;
}

std::vector<std::pair<TokenId, TokenId>> Learner::merges() const {
  std::vector<std::pair<TokenId, TokenId>> last_first;
  PairMap<bool> seen(merged_.size());
  for (auto pair = merged_.rbegin(); pair != merged_.rend(); ++pair) {
    if (std::exchange(seen[*pair], true)) continue;
    last_first.emplace_back(static_cast<TokenId>(*pair >> 32), static_cast<TokenId>(*pair & 0xffffffffu));
  }
  return {last_first.rbegin(), last_first.rend()};
}

}  // namespace

void check_vocab_size(int vocab_size, const std::string& where) {
  constexpr int kSmallest = 256 + 1;
  if (vocab_size >= kSmallest) return;
  throw input_error("{} is {}, but the 256 bytes and {} need {}", where, vocab_size, kEndOfText, kSmallest);
}

Tokenizer train_bpe(const TextSource& texts, int vocab_size, int threads) {
  check_vocab_size(vocab_size, "tokenizer.vocab_size");
  const std::vector<WordCount> words = count_words(texts, threads);
  Learner learner(words);
  learner.learn(static_cast<std::size_t>(vocab_size) - 1);
  const int reached = static_cast<int>(learner.tokens().size()) + 1;
  if (reached < vocab_size) {
    throw input_error("tokenizer: vocab_size is {}, but the text gives at most {}; lower it or give more text",
                      vocab_size, reached);
  }
  return Tokenizer::parse(write_tokenizer_file(learner.tokens(), learner.merges(), kEndOfText),
                          "the trained tokenizer");
}

}  // namespace btm
