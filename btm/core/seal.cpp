#include "btm/core/seal.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "btm/core/error.h"
#include "btm/core/hash.h"

namespace btm {
namespace {

constexpr std::size_t kHexDigits = 64;

// The line of a seal, where it is in the file, and what is before and behind the hash in it.
struct FileSeal {
  std::size_t at;
  std::string_view start, end;
  std::size_t size() const { return start.size() + kHexDigits + end.size(); }
};
constexpr std::string_view kObjectStart = "{\n";
constexpr FileSeal kInJson{kObjectStart.size(), "  \"file_sha256\": \"", "\",\n"};
constexpr FileSeal kInMarkdown{0, "<!-- file_sha256: ", " -->\n"};
constexpr FileSeal kInComment{0, "# file_sha256: ", "\n"};

constexpr std::string_view kLineStart = ",\"line_sha256\":\"", kLineEnd = "\"}";
constexpr std::size_t kLineSeal = kLineStart.size() + kHexDigits + kLineEnd.size();

std::string with_seal(const FileSeal& seal, std::string_view text) {
  return fmt::format("{}{}{}{}{}", text.substr(0, seal.at), seal.start, sha256_hex(text), seal.end,
                     text.substr(seal.at));
}

// One that has lost a byte of its start counts as there: it is broken, not missing.
const FileSeal* find_seal(std::string_view bytes) {
  for (const FileSeal* seal : {&kInJson, &kInMarkdown, &kInComment}) {
    if (bytes.size() < seal->at + seal->start.size()) continue;
    const std::string_view there = bytes.substr(seal->at, seal->start.size());
    const auto same = std::transform_reduce(there.begin(), there.end(), seal->start.begin(), std::size_t{0},
                                            std::plus<>(), std::equal_to<>());
    if (same + 1 >= seal->start.size()) return seal;
  }
  return nullptr;
}

}  // namespace

std::string sealed(const fs::path& path, std::string_view text) {
  if (path.extension() == ".md") return with_seal(kInMarkdown, text);
  if (path.extension() != ".json") return with_seal(kInComment, text);
  if (!text.starts_with(kObjectStart)) throw failure("{}: not a JSON object in several lines", path.string());
  return with_seal(kInJson, text);
}

void write_sealed_file(const fs::path& path, std::string_view text) {
  write_file(path, sealed(path, text));
}

void ensure_sealed_file(const fs::path& path, std::string_view text) {
  const std::string bytes = sealed(path, text);
  if (!fs::exists(path) || read_file(path) != bytes) write_file(path, bytes);
}

Seal check_seal(std::string_view bytes) {
  const FileSeal* seal = find_seal(bytes);
  if (!seal) return Seal::none;
  const std::string text = unsealed(bytes);
  return text.size() >= seal->at && with_seal(*seal, text) == bytes ? Seal::whole : Seal::broken;
}

std::string unsealed(std::string_view bytes) {
  const FileSeal* seal = find_seal(bytes);
  if (!seal) return std::string(bytes);
  return fmt::format("{}{}", bytes.substr(0, seal->at), bytes.substr(std::min(seal->at + seal->size(), bytes.size())));
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
