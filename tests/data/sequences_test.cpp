#include "btm/data/sequences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "btm/core/hash.h"
#include "btm/core/random.h"
#include "tests/data/data_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

constexpr TokenId kEnd = 9999;

// Documents of many lengths; every token but the ends is there once, domains apart by thousands.
class Sequences : public testing::Test {
 protected:
  const TokenStore& domain(int number, const std::vector<int>& lengths) {
    const auto prefix = folder_ / std::to_string(number);
    TokenStoreWriter writer(prefix, 10'000);
    TokenId next = 1000 * number;
    for (int length : lengths) {
      std::vector<TokenId> document(static_cast<std::size_t>(length), kEnd);
      std::iota(document.begin(), document.end() - 1, next);
      next += length - 1;
      writer.add(document);
    }
    writer.publish();
    return *stores_.emplace_back(std::make_unique<TokenStore>(prefix));
  }
  static std::vector<TokenId> read(SequenceStream& stream, std::int64_t index, int length) {
    std::vector<TokenId> tokens(static_cast<std::size_t>(length) + 1);
    stream.read(index, tokens);
    return tokens;
  }

  test::TemporaryFolder folder_;
  std::vector<std::unique_ptr<TokenStore>> stores_;
};

TEST_F(Sequences, GiveEveryTokenOfAnEpochOnce) {
  const std::vector<int> lengths = {1, 7, 2, 30, 4, 1, 1, 12, 3};  // 61 tokens, 9 of them ends
  const TokenStore& store = domain(1, lengths);
  constexpr int kLength = 5;
  SequenceStream stream({&store}, kLength, 7);
  std::vector<TokenId> line;  // inputs of 61 sequences are 5 epochs
  for (int i = 0; i < 61; ++i) {
    const std::vector<TokenId> tokens = read(stream, i, kLength);
    if (i > 0) {
      EXPECT_EQ(read(stream, i - 1, kLength).back(), tokens.front());
    }
    line.insert(line.end(), tokens.begin(), tokens.end() - 1);
  }
  std::set<std::vector<TokenId>> orders;
  for (int epoch = 0; epoch < 5; ++epoch) {
    std::vector<TokenId> tokens(line.begin() + epoch * 61, line.begin() + (epoch + 1) * 61);
    // Whole documents, each once: the tokens between two ends rise one by one, and each epoch has them all.
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      if (tokens[i] != kEnd && tokens[i - 1] != kEnd) {
        EXPECT_EQ(tokens[i], tokens[i - 1] + 1);
      }
    }
    EXPECT_EQ(tokens.back(), kEnd);
    orders.insert(tokens);
    std::ranges::sort(tokens);
    std::vector<TokenId> expected(52);
    std::iota(expected.begin(), expected.end(), 1000);
    expected.insert(expected.end(), 9, kEnd);
    EXPECT_EQ(tokens, expected);
  }
  EXPECT_GT(orders.size(), 1u) << "epochs are shuffled anew";
}

TEST_F(Sequences, DependOnIndexAndSeedAlone) {
  const TokenStore &a = domain(1, {40, 3, 9, 21, 5}), &b = domain(2, {11, 12, 13}), &c = domain(3, {100});
  const std::vector<const TokenStore*> domains = {&a, &b, &c};
  SequenceStream in_order(domains, 8, 3), at_random(domains, 8, 3), other_seed(domains, 8, 4);
  std::vector<std::vector<TokenId>> expected;
  for (int i = 0; i < 200; ++i) expected.push_back(read(in_order, i, 8));
  Random random(5);
  int differ = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto index = static_cast<std::int64_t>(random.below(200));
    EXPECT_EQ(read(at_random, index, 8), expected[static_cast<std::size_t>(index)]) << index;
    differ += read(other_seed, index, 8) != expected[static_cast<std::size_t>(index)];
  }
  EXPECT_GT(differ, 500);
}

TEST_F(Sequences, AreBalancedInEveryRound) {
  const TokenStore &a = domain(1, {40, 3, 9, 21, 5}), &b = domain(2, {30}), &c = domain(3, {300});
  SequenceStream stream({&a, &b, &c}, 20, 3);
  std::map<std::vector<int>, int> orders;
  for (int round = 0; round < 60; ++round) {
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) {
      const std::vector<TokenId> tokens = read(stream, 3 * round + i, 20);
      order.push_back(*std::ranges::find_if(tokens, [](TokenId id) { return id != kEnd; }) / 1000);
    }
    ++orders[order];
    std::ranges::sort(order);
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  }
  EXPECT_EQ(orders.size(), 6u) << "each of the 6 orders comes up";
}

// The order of the data as sequences.h and random.h say it, with numbers that are drawn and shuffled here.
class NaiveOrder {
 public:
  explicit NaiveOrder(std::uint64_t seed, const std::string& stream) : state_(seed ^ xxh3(stream)) {}

  std::vector<std::size_t> of(std::size_t count) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t left = count; left > 1; --left) std::swap(order[left - 1], order[below(left)]);
    return order;
  }

 private:
  // SplitMix64, of whose numbers the upper half of the product with the bound is taken.
  std::size_t below(std::uint64_t bound) {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    const std::uint64_t high = (z >> 32) * bound, low = (z & 0xffffffffu) * bound;  // bound < 2^32
    return static_cast<std::size_t>((high + (low >> 32)) >> 32);
  }

  std::uint64_t state_;
};

// What the models of a forest were trained on is known by text, random seed and place alone: this order must never
// change, or the same recipe gives other weights.
TEST_F(Sequences, AreInTheOrderOfOldRecipes) {
  EXPECT_EQ(xxh3(""), 0x2d06800538d394c2u) << "as xxHash's own tests have it";
  constexpr int kLength = 4, kSeed = 7;
  const std::vector<std::vector<int>> lengths = {{3, 5, 2, 4, 6}, {3, 5, 2, 4, 6}, {7, 1, 9}};
  std::vector<const TokenStore*> domains;
  std::vector<std::vector<TokenId>> lines(lengths.size());  // of each, some epochs
  for (std::size_t d = 0; d < lengths.size(); ++d) {
    const TokenStore& store = domain(static_cast<int>(d) + 1, lengths[d]);
    domains.push_back(&store);
    for (int epoch = 0; epoch < 5; ++epoch) {
      for (const std::size_t document :
           NaiveOrder(kSeed, fmt::format("domain {} epoch {}", d, epoch)).of(lengths[d].size())) {
        std::vector<TokenId> tokens(static_cast<std::size_t>(lengths[d][document]));
        store.copy(static_cast<std::int64_t>(document), 0, tokens);
        lines[d].insert(lines[d].end(), tokens.begin(), tokens.end());
      }
    }
  }
  SequenceStream stream(domains, kLength, kSeed);
  for (int round = 0; round < 15; ++round) {
    const std::vector<std::size_t> turns = NaiveOrder(kSeed, fmt::format("round {}", round)).of(domains.size());
    for (std::size_t turn = 0; turn < turns.size(); ++turn) {
      const std::int64_t index = 3 * round + static_cast<std::int64_t>(turn);
      EXPECT_EQ(stream.domain(index), turns[turn]);
      const auto start = lines[turns[turn]].begin() + kLength * round;
      EXPECT_EQ(read(stream, index, kLength), std::vector<TokenId>(start, start + kLength + 1)) << index;
    }
  }
}

TEST_F(Sequences, ShuffleEachDomainInItsOwnWay) {
  const TokenStore& store = domain(1, std::vector<int>(30, 4));
  SequenceStream stream({&store, &store}, 4, 1);
  std::vector<std::vector<TokenId>> lines(2);
  for (int i = 0; i < 2 * 30; ++i) {
    const std::vector<TokenId> tokens = read(stream, i, 4);
    std::vector<TokenId>& line = lines[stream.domain(i)];
    line.insert(line.end(), tokens.begin(), tokens.end() - 1);
  }
  EXPECT_NE(lines[0], lines[1]);
  for (std::vector<TokenId>& line : lines) std::ranges::sort(line);
  EXPECT_EQ(lines[0], lines[1]);
}

TEST_F(Sequences, MayBeLongerThanHalfADomain) {
  const TokenStore& store = domain(1, {4, 3, 2});
  SequenceStream stream({&store}, 8, 1);  // 9 tokens, the least for this length
  std::vector<TokenId> line;
  for (int i = 0; i < 9; ++i) {
    const std::vector<TokenId> tokens = read(stream, i, 8);
    line.insert(line.end(), tokens.begin(), tokens.end() - 1);
  }
  EXPECT_EQ(std::ranges::count(line, 1000), 8);
  EXPECT_EQ(std::ranges::count(line, kEnd), 24);
}

TEST_F(Sequences, SayThatADomainIsTooSmall) {
  const TokenStore& store = domain(1, {4, 3, 2});
  EXPECT_THAT(test::message_of([&] { SequenceStream({&store}, 9, 1); }),
              testing::AllOf(testing::HasSubstr("9 tokens"), testing::HasSubstr("needs 10")));
}

}  // namespace
}  // namespace btm
