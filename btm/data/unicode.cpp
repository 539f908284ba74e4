#include "btm/data/unicode.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace btm {
namespace {

constexpr std::uint32_t kLimit = 0x110000;
constexpr std::array<std::string_view, 29> kNames = {"Cn", "Cc", "Cf", "Co", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc",
                                                     "Me", "Mn", "Nd", "Nl", "No", "Pc", "Pd", "Pe", "Pf", "Pi",
                                                     "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"};

// The property White_Space, which is \s in Oniguruma and in Rust's regex.
constexpr CodeRange kSpaces[] = {{0x9, 0xd},       {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
                                 {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                 {0x205f, 0x205f}, {0x3000, 0x3000}};

// \w is L, M, Nd, Nl and Pc, which the category shows, and letters in circles and squares (Other_Alphabetic). Rust's
// regex adds the joiners (Unicode TR18), Oniguruma the numbers of Latin-1. Found by comparing over all scalar values.
constexpr CodeRange kAlphabeticSymbols[] = {
    {0x24b6, 0x24e9}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
constexpr CodeRange kJoiners[] = {{0x200c, 0x200d}};
constexpr CodeRange kLatinNumbers[] = {{0xb2, 0xb3}, {0xb9, 0xb9}, {0xbc, 0xbe}};

bool is_word(std::string_view category) {
  return category[0] == 'L' || category[0] == 'M' || category == "Nd" || category == "Nl" || category == "Pc";
}

std::uint8_t class_of(std::string_view category) {
  const int kind = category[0] == 'L' ? kLetter : category[0] == 'N' ? kNumber : 0;
  return static_cast<std::uint8_t>(kind | (is_word(category) ? kWord : 0));
}

template <class Take>
void for_each_range(Take take) {
  const auto table = category_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::uint32_t end = i + 1 < table.size() ? table[i + 1] >> 5 : kLimit;
    take(table[i] >> 5, end, kNames[table[i] & 31]);
  }
}

std::vector<std::uint8_t> make_classes() {
  std::vector<std::uint8_t> classes(kLimit);
  for_each_range([&](std::uint32_t begin, std::uint32_t end, std::string_view category) {
    std::memset(classes.data() + begin, class_of(category), end - begin);
  });
  const auto set = [&](std::span<const CodeRange> ranges, std::uint8_t bit) {
    for (const auto& [first, last] : ranges) {
      for (std::uint32_t value = first; value <= last; ++value) classes[value] |= bit;
    }
  };
  set(kSpaces, kSpace);
  set(kAlphabeticSymbols, kWord);
  set(kJoiners, kWord);
  classes['\r'] |= kNewline;
  classes['\n'] |= kNewline;
  return classes;
}

// Sorted ranges with neighbours made one.
std::vector<CodeRange> joined(const std::vector<CodeRange>& ranges) {
  std::vector<CodeRange> made;
  for (const CodeRange& range : ranges) {
    if (!made.empty() && made.back().second + 1 == range.first) {
      made.back().second = range.second;
    } else {
      made.push_back(range);
    }
  }
  return made;
}

}  // namespace

std::vector<CodeRange> ranges_of(std::string_view property) {
  if (property == "space") return {std::begin(kSpaces), std::end(kSpaces)};
  std::vector<CodeRange> ranges;
  for_each_range([&](std::uint32_t begin, std::uint32_t end, std::string_view category) {
    const bool named = !property.empty() && property.size() <= 2 && category.starts_with(property);
    if (named || (property == "word" && is_word(category))) ranges.emplace_back(begin, end - 1);
  });
  if (property == "word") {
    ranges.insert(ranges.end(), std::begin(kAlphabeticSymbols), std::end(kAlphabeticSymbols));
    ranges.insert(ranges.end(), std::begin(kLatinNumbers), std::end(kLatinNumbers));
    std::ranges::sort(ranges);
  }
  return joined(ranges);
}

std::vector<CodeRange> complement(const std::vector<CodeRange>& ranges) {
  std::vector<CodeRange> rest;
  std::uint32_t next = 0;
  for (const auto& [first, last] : ranges) {
    if (first > next) rest.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next < kLimit) rest.emplace_back(next, kLimit - 1);
  return rest;
}

const std::uint8_t* char_classes() {
  static const std::vector<std::uint8_t> classes = make_classes();
  return classes.data();
}

}  // namespace btm
