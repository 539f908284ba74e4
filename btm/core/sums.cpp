#include "btm/core/sums.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/hash.h"
#include "btm/core/seal.h"

namespace btm {
namespace {

constexpr std::string_view kBetween = "  ";  // as sha256sum writes files that it read as text

void write(const fs::path& folder, const std::vector<FileSum>& sums) {
  std::string lines;
  for (const auto& [file, sha256] : sums) lines += fmt::format("{}{}{}\n", sha256, kBetween, file);
  write_sealed_file(folder / kSumsFile, lines);
}

}  // namespace

void write_sums(const fs::path& folder, const std::vector<FileSum>& known) {
  std::vector<FileSum> sums;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    std::string file = entry.path().lexically_relative(folder).string();
    if (!entry.is_regular_file() || file == kSumsFile) continue;
    const auto there = std::ranges::find(known, file, &FileSum::file);
    sums.push_back(there != known.end() ? *there : FileSum{file, sha256_file(entry.path())});
  }
  std::ranges::sort(sums, {}, &FileSum::file);
  write(folder, sums);
}

void update_sum(const fs::path& folder, const std::string& file) {
  auto sums = read_sums(folder);
  if (!sums) return;
  for (FileSum& sum : *sums) {
    if (sum.file == file) sum.sha256 = sha256_file(folder / file);
  }
  write(folder, *sums);
}

std::optional<std::vector<FileSum>> read_sums(const fs::path& folder) {
  const fs::path path = folder / kSumsFile;
  if (!fs::exists(path)) return std::nullopt;
  const std::string bytes = read_file(path);
  if (check_seal(bytes) != Seal::whole) {
    throw input_error("{}: does not match its own hash; restore it from a copy, or delete it to go on without",
                      path.string());
  }
  std::vector<FileSum> sums;
  const std::string lines = unsealed(bytes);
  std::string_view rest = lines;
  for (std::size_t end; (end = rest.find('\n')) != rest.npos; rest.remove_prefix(end + 1)) {
    const std::string_view line = rest.substr(0, end);
    const std::size_t between = line.find(kBetween);
    if (between == line.npos) throw input_error("{}: not a list of hashes", path.string());
    sums.push_back({std::string(line.substr(between + kBetween.size())), std::string(line.substr(0, between))});
  }
  return sums;
}

bool holds_sums(const fs::path& folder) {
  const auto sums = read_sums(folder);
  return !sums || std::ranges::all_of(
                      *sums, [&folder](const FileSum& sum) { return sha256_file(folder / sum.file) == sum.sha256; });
}

}  // namespace btm
