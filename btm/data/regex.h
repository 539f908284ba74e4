// Regular expressions of tokenizer files: written for Oniguruma (in `tokenizers`), run by PCRE2 with JIT.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace btm {

// The same pattern for PCRE2. Properties and \s \d \w are written out as ranges of code points, because the Unicode
// versions of the two libraries differ, and \s does so by definition (U+180E). Constructs whose meaning differs or is
// not known to agree are refused with Error(input); `where` begins its message.
std::string translate_regex(std::string_view oniguruma, const std::string& where);

// Immutable; any number of threads may search at once, each with a Search of its own.
class Regex {
 public:
  Regex(std::string_view oniguruma, const std::string& where);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // The matches in one text, as Oniguruma's find_iter gives them: an empty match right after a match is passed over.
  class Search {
   public:
    Search(const Regex& regex, std::string_view text);  // valid UTF-8, which is not checked
    ~Search();
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;
    bool next();  // false when there is none left
    std::size_t begin() const { return begin_; }
    std::size_t end() const { return end_; }

   private:
    bool match(std::size_t from);
    struct Data;
    const Regex& regex_;
    std::string_view text_;
    std::unique_ptr<Data> data_;
    std::size_t from_ = 0, begin_ = 0, end_ = 0;
    bool matched_ = false;
  };

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace btm
