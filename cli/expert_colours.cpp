#include "cli/expert_colours.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "btm/core/json.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

std::string harmless(std::string text) {
  repair_utf8(text);
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t'; });
  return text;
}

}  // namespace

std::string painted(std::string text, std::size_t expert) {
  constexpr int kColours[] = {39, 208, 41, 205, 220, 141, 203, 51, 106, 180};  // of the 256, apart from each other
  return fmt::format("\033[38;5;{}m{}\033[0m", kColours[expert % std::size(kColours)], harmless(std::move(text)));
}

std::string colour_key(std::span<const std::string> experts) {
  std::string key;
  for (std::size_t j = 0; j < experts.size(); ++j) key += (j ? "  " : "") + painted(experts[j], j);
  return key;
}

void TokenTable::add(TokenId token, const std::string& expert, double weight) {
  const bool known = token < tokenizer_.vocab_size();  // a padded vocabulary has ids beyond, which stand for no text
  const std::string text = known ? harmless(tokenizer_.decode(std::span(&token, 1))) : "";
  table_.rows.push_back({Json(text).dump(), expert, fmt::format("{:.3f}", weight)});
}

}  // namespace btm
