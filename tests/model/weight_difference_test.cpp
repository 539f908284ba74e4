#include "btm/model/weight_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "btm/core/random.h"
#include "tests/model/checkpoint_support.h"

namespace btm {
namespace {

constexpr std::size_t kBlock = 65536;  // numbers, as in docs/formats.md

std::string packed_of(const std::string& values, const std::string& base) {
  std::string packed;
  pack_difference(values, base, [&packed](std::string_view part) { packed += part; });
  return packed;
}

std::string unpacked_of(const std::string& packed, const std::string& base) {
  std::string values;
  unpack_difference(packed, base, "x", [&values](std::string_view part) { values += part; });
  return values;
}

std::string random_bits(std::size_t numbers, std::uint64_t seed) {
  Random random(seed);
  std::string bytes(numbers * 4, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.uniform() * 256);
  return bytes;
}

// Any bits, so NaN and infinity of either sign too.
TEST(WeightDifference, GivesTheSameBitsForEverySize) {
  for (std::size_t numbers : {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1, 2 * kBlock + 7}) {
    const std::string values = random_bits(numbers, 1), base = random_bits(numbers, 2);
    const std::string packed = packed_of(values, base);
    EXPECT_EQ(packed.empty(), numbers == 0);
    EXPECT_EQ(unpacked_of(packed, base), values);
    EXPECT_LT(packed_of(base, base).size(), 100 * (1 + numbers / kBlock));
  }
}

// -1 is 1, 1 is 2; the lowest bytes first.
TEST(WeightDifference, FramesHoldTheFormatOfTheDocs) {
  const std::string base("\x05\0\0\0\x05\0\0\0\xff\x01\0\0", 12), values("\x04\0\0\0\x06\0\0\0\xff\x02\0\0", 12);
  const std::string packed = packed_of(values, base);
  std::string planes(100, '\0');
  planes.resize(ZSTD_decompress(planes.data(), planes.size(), packed.data(), packed.size()));
  EXPECT_EQ(planes, std::string("\x01\x02\0\0\0\x02\0\0\0\0\0\0", 12));
}

TEST(WeightDifference, OtherFramesAreRefused) {
  const std::string base = random_bits(kBlock + 1, 1), packed = packed_of(random_bits(kBlock + 1, 2), base);
  for (const std::string& bad :
       {packed + "x", packed.substr(0, packed.size() - 1), packed + packed, std::string("x")}) {
    EXPECT_THAT(test::input_error_of([&] { unpacked_of(bad, base); }), testing::HasSubstr("x: "));
  }
  EXPECT_THAT(test::input_error_of([&] { unpacked_of(packed, base.substr(4)); }), testing::HasSubstr("bytes"));
}

}  // namespace
}  // namespace btm
