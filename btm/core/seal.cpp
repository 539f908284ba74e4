#include "btm/core/seal.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/hash.h"

namespace btm {
namespace {

constexpr std::string_view kFileWord = "file_sha256";
constexpr std::string_view kObjectStart = "{\n";
constexpr std::size_t kHexDigits = 64;
constexpr int kSealLines = 3;

constexpr std::string_view kLineStart = ",\"line_sha256\":\"", kLineEnd = "\"}";
constexpr std::size_t kLineSeal = kLineStart.size() + kHexDigits + kLineEnd.size();

enum class Form { json, markdown, comment };

std::string seal_line(Form form, std::string_view sha256) {
  switch (form) {
    case Form::json:
      return fmt::format("  \"{}\": \"{}\",\n", kFileWord, sha256);
    case Form::markdown:
      return fmt::format("<!-- {}: {} -->\n", kFileWord, sha256);
    case Form::comment:
      break;
  }
  return fmt::format("# {}: {}\n", kFileWord, sha256);
}

std::string with_seal(Form form, std::string_view text) {
  const std::size_t at = form == Form::json ? kObjectStart.size() : 0;
  return fmt::format("{}{}{}", text.substr(0, at), seal_line(form, sha256_hex(text)), text.substr(at));
}

bool has_hash(std::string_view line) {
  std::size_t run = 0;
  return std::ranges::any_of(line, [&run](char c) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    run = hex ? run + 1 : 0;
    return run == kHexDigits;
  });
}

struct Split {
  std::string_view before, seal, after;  // the seal is empty if there is none
};

// A line among the first three that has the word or a hash: one changed byte can't take both away, though a line end in
// the word may move the hash to the third.
Split find_seal(std::string_view bytes) {
  std::size_t begin = 0;
  for (int line = 0; line < kSealLines && begin < bytes.size(); ++line) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size() - 1) + 1;
    const std::string_view text = bytes.substr(begin, end - begin);
    if (text.find(kFileWord) != text.npos || has_hash(text)) return {bytes.substr(0, begin), text, bytes.substr(end)};
    begin = end;
  }
  return {bytes, {}, {}};
}

}  // namespace

std::string sealed(const fs::path& path, std::string_view text) {
  if (path.extension() == ".md") return with_seal(Form::markdown, text);
  if (path.extension() != ".json") return with_seal(Form::comment, text);
  if (!text.starts_with(kObjectStart)) throw failure("{}: not a JSON object in several lines", path.string());
  return with_seal(Form::json, text);
}

void write_sealed_file(const fs::path& path, std::string_view text) {
  write_file(path, sealed(path, text));
}

Seal check_seal(std::string_view bytes) {
  if (find_seal(bytes).seal.empty()) return Seal::none;
  const std::string text = unsealed(bytes);
  for (const Form form : {Form::json, Form::markdown, Form::comment}) {
    if (form == Form::json && !text.starts_with(kObjectStart)) continue;
    if (with_seal(form, text) == bytes) return Seal::whole;
  }
  return Seal::broken;
}

std::string unsealed(std::string_view bytes) {
  const Split split = find_seal(bytes);
  return fmt::format("{}{}", split.before, split.after);
}

std::string sealed_line(std::string_view object) {
  return fmt::format("{}{}{}{}", object.substr(0, object.size() - 1), kLineStart, sha256_hex(object), kLineEnd);
}

Seal check_line_seal(std::string_view line) {
  if (line.find(kLineStart.substr(1)) == line.npos) return Seal::none;
  return line.size() > kLineSeal && sealed_line(unsealed_line(line)) == line ? Seal::whole : Seal::broken;
}

std::string unsealed_line(std::string_view line) {
  if (line.find(kLineStart.substr(1)) == line.npos) return std::string(line);
  return fmt::format("{}}}", line.substr(0, line.size() - kLineSeal));
}

}  // namespace btm
