// Hand-written scanners for the two families of word patterns that nearly all byte-level tokenizers use. They give the
// pieces of the regular expressions, several times faster; the tests hold them against Oniguruma and PCRE2.
#pragma once

#include <optional>
#include <string_view>

namespace btm {

enum class WordPattern {
  gpt2,    // GPT-2's
  llama3,  // cl100k's and Llama 3's: numbers in groups of up to three digits
  qwen2,   // the same with single digits
};

// The scanner for this regular expression, if there is one.
std::optional<WordPattern> known_pattern(std::string_view regex);
std::string_view regex_of(WordPattern pattern);

// End of the word that starts at `begin`; begin < end. Valid UTF-8 only.
const char* next_word(WordPattern pattern, const char* begin, const char* end);

}  // namespace btm
