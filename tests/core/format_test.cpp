#include "btm/core/format.h"

#include <gtest/gtest.h>

#include <array>

#include "btm/core/error.h"
#include "btm/core/hash.h"
#include "btm/core/random.h"

namespace btm {
namespace {

TEST(Format, ParsesCounts) {
  EXPECT_EQ(parse_count("200"), 200);
  EXPECT_EQ(parse_count("16k"), 16'000);
  EXPECT_EQ(parse_count("1.5M"), 1'500'000);
  EXPECT_EQ(parse_count("2G"), 2'000'000'000);
  EXPECT_EQ(parse_count("4.1M"), 4'100'000);  // 4.1 x 1e6 is no whole number in doubles
  EXPECT_EQ(parse_count("16.1k"), 16'100);
  EXPECT_EQ(parse_count("1.005k"), 1'005);
  for (const char* bad : {"", "k", "12q", "1.5", "4 M", "abc", "1.0005k", "nan", "inf", "1.0000000000001"})
    EXPECT_THROW(parse_count(bad), Error) << bad;
}

TEST(Format, WritesCountsAndDurations) {
  EXPECT_EQ(format_count(12), "12");
  EXPECT_EQ(format_count(1'234'567), "1.23M");
  EXPECT_EQ(format_duration(4.2), "4.2s");
  EXPECT_EQ(format_duration(75), "1m15s");
  EXPECT_EQ(format_duration(3723), "1h02m");
}

TEST(Format, SplitsLists) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(split_list("a,b=1"), Words({"a", "b=1"}));
  EXPECT_EQ(split_list(",b,"), Words({"", "b", ""}));
  EXPECT_EQ(split_list(""), Words({""}));
}

TEST(Format, FindsTheNearestWord) {
  std::array<std::string, 3> words{"training", "tokenizer", "domains"};
  EXPECT_EQ(nearest_word("trainning", words), "training");
  EXPECT_EQ(nearest_word("domian", words), "domains");
  EXPECT_EQ(nearest_word("xyz", words), "");
  EXPECT_EQ(nearest_word("text", std::array<std::string, 3>{"etc", "dev", "tmp"}), "");
}

TEST(Hash, Xxh3OfPiecesIsThatOfTheWhole) {
  EXPECT_EQ(Xxh3().hex(), "99aa06d3014798d86001c324468d497f");  // xxHash's tests/sanity_test_vectors.h
  Xxh3 whole, pieces;
  whole.update("branch, train, merge");
  for (const char* piece : {"branch, ", "train, ", "merge"}) pieces.update(piece);
  EXPECT_EQ(pieces.hex(), whole.hex());
}

TEST(Hash, Sha256IsTheStandards) {  // FIPS 180-2, appendix B.1
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Random, IsSplitMix64) {  // reference values of the author's C program for seed 1234567
  Random random(1234567 ^ xxh3(""));
  EXPECT_EQ(random.next(), 6457827717110365317u);
  EXPECT_EQ(random.next(), 3203168211198807973u);
}

TEST(Random, NormalHasMeanZeroAndDeviationOne) {
  Random random(1, "test");
  double sum = 0, squares = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1, 0.01);
}

}  // namespace
}  // namespace btm
