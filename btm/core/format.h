// Numbers and lists as people write and read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace btm {

// "16k", "4M", "1.5G" or "200" -> a count (decimal factors). Throws Error(input) naming the text.
std::int64_t parse_count(std::string_view text);

std::string format_count(double value);                             // 1234567 -> "1.23M"
std::string counted(std::int64_t count, const std::string& thing);  // 1 -> "1 expert", 2 -> "2 experts"
std::string format_duration(double seconds);                        // 3723 -> "1h02m", 75 -> "1m15s", 4.2 -> "4.2s"

// "a,b" -> {"a", "b"}; one word more than there are commas.
std::vector<std::string> split_list(std::string_view text);

// The candidate nearest to `word` by edit distance, or "" if none is near enough to be a misspelling of it.
template <class Range>
std::string nearest_word(std::string_view word, const Range& candidates);

// The end of a message: "; did you mean 'NEAREST'?", or "; OR_ELSE" if there is no nearest word.
std::string did_you_mean(const std::string& nearest, const std::string& or_else = "");

int edit_distance(std::string_view a, std::string_view b);

template <class Range>
std::string nearest_word(std::string_view word, const Range& candidates) {
  std::string best;
  int best_distance = static_cast<int>(word.size()) / 3 + 2;
  for (const auto& candidate : candidates) {
    if (int distance = edit_distance(word, candidate); distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace btm
