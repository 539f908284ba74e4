#include "btm/data/split.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace btm {
namespace {

constexpr std::size_t kDigits = 8;  // 32 bits of the hash are enough to tell a percent
constexpr std::uint64_t kDevPercent = 2, kTestPercent = 2;

}  // namespace

Split split_of(std::string_view document_sha256) {
  std::uint64_t value = 0;
  std::from_chars(document_sha256.data(), document_sha256.data() + kDigits, value, 16);
  const std::uint64_t percent = value * 100 >> (4 * kDigits);  // [0, 100)
  if (percent < kDevPercent) return Split::dev;
  return percent < kDevPercent + kTestPercent ? Split::test : Split::train;
}

std::vector<Split> splits_of(std::span<const std::string> document_sha256s) {
  const std::size_t documents = document_sha256s.size();
  std::vector<Split> splits(documents);
  for (std::size_t i = 0; i < documents; ++i) splits[i] = split_of(document_sha256s[i]);
  if (documents < 3) return splits;

  auto count = [&](Split split) { return static_cast<std::size_t>(std::ranges::count(splits, split)); };
  const std::size_t measured = count(Split::dev) + count(Split::test);
  const std::size_t dev = std::clamp<std::size_t>(count(Split::dev), 1, documents - 2);
  const std::size_t test = std::clamp<std::size_t>(measured > dev ? measured - dev : 0, 1, documents - dev - 1);
  std::vector<std::size_t> order(documents);
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::string_view(document_sha256s[i]); });
  for (std::size_t rank = 0; rank < documents; ++rank) {
    splits[order[rank]] = rank < dev ? Split::dev : rank < dev + test ? Split::test : Split::train;
  }
  return splits;
}

}  // namespace btm
