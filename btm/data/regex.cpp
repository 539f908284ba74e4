#include "btm/data/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8  // pcre2.h demands it
#include <pcre2.h>

#include <array>

#include "btm/core/error.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK;
constexpr std::uint32_t kMatchLimit = 1u << 30;  // PCRE2's default of 10 million stops at long words

std::string reason_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR bytes_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

struct Regex::Search::Data {
  pcre2_match_data* match;
  pcre2_match_context* context;
  explicit Data(const pcre2_code* code)
      : match(pcre2_match_data_create_from_pattern(code, nullptr)), context(pcre2_match_context_create(nullptr)) {
    pcre2_set_match_limit(context, kMatchLimit);
  }
  ~Data() {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
  }
};

Regex::Regex(std::string_view oniguruma, const std::string& where) : code_(std::make_unique<Code>()) {
  if (find_invalid_utf8(oniguruma) != std::string_view::npos) throw input_error("{}: the regex is not UTF-8", where);
  const std::string pattern = translate_regex(oniguruma, where);
  int error = 0;
  std::size_t at = 0;
  code_->code = pcre2_compile(bytes_of(pattern), pattern.size(), kOptions, &error, &at, nullptr);
  if (code_->code == nullptr) throw input_error("{}: bad regex `{}`: {}", where, oniguruma, reason_of(error));
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // without JIT on this machine the interpreter does it
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Regex::Search::Search(const Regex& regex, std::string_view text)
    : regex_(regex), text_(text), data_(std::make_unique<Data>(regex.code_->code)) {}
Regex::Search::~Search() = default;

bool Regex::Search::match(std::size_t from) {
  const auto run = [&](std::uint32_t options) {
    return pcre2_match(regex_.code_->code, bytes_of(text_), text_.size(), from, options, data_->match, data_->context);
  };
  int found = run(PCRE2_NO_UTF_CHECK);
  // JIT works on a stack of 32 KiB, the interpreter on the heap.
  if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = run(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0) throw failure("regex search failed at byte {} of {}: {}", from, text_.size(), reason_of(found));
  return true;
}

bool Regex::Search::next() {
  while (from_ <= text_.size() && match(from_)) {
    const std::size_t* span = pcre2_get_ovector_pointer(data_->match);
    const bool repeats = matched_ && span[0] == span[1] && span[1] == end_;
    if (!repeats) {
      begin_ = span[0];
      from_ = end_ = span[1];
      return matched_ = true;
    }
    from_ += from_ < text_.size() ? decode_utf8(text_.data() + from_).bytes : 1;
  }
  return false;
}

}  // namespace btm
