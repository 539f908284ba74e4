#include "btm/data/documents.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/data/file_list.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

// The SHA-256 of every document seen, as 32 raw bytes.
class SeenDocuments {
 public:
  bool insert(const std::string& hex) {  // false if it was there
    Digest digest;
    for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = half(hex[2 * i]) << 4 | half(hex[2 * i + 1]);
    return seen_.insert(digest).second;
  }
  std::string sha256() const {
    std::vector<Digest> sorted(seen_.begin(), seen_.end());
    std::ranges::sort(sorted);
    Sha256 hash;
    for (const Digest& digest : sorted) hash.update({reinterpret_cast<const char*>(digest.data()), digest.size()});
    return hash.hex();
  }
  bool empty() const { return seen_.empty(); }

 private:
  using Digest = std::array<std::uint8_t, 32>;
  struct Head {
    std::size_t operator()(const Digest& digest) const {
      std::size_t head;
      std::memcpy(&head, digest.data(), sizeof head);
      return head;
    }
  };
  static std::uint8_t half(char digit) {
    return static_cast<std::uint8_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  std::unordered_set<Digest, Head> seen_;
};

// Hands documents on with their split; holds them back while a split is still empty.
class Splitter {
 public:
  Splitter(std::string domain, const TakeDocument& take) : domain_(std::move(domain)), take_(take) {}

  void add(std::string&& text, std::string&& sha256) {
    const Split split = split_of(sha256);
    if (settled()) return take_(std::move(text), sha256, split);
    filled_[static_cast<std::size_t>(split)] = true;
    texts_.push_back(std::move(text));
    hashes_.push_back(std::move(sha256));
    if (settled()) release();
  }

  void finish() {
    if (!settled() && hashes_.size() >= 3) {
      log_detail(fmt::format("domain {}: only {} documents, so dev and test have those of smallest hash", domain_,
                             hashes_.size()));
    }
    release();
  }

 private:
  bool settled() const { return filled_[0] && filled_[1] && filled_[2]; }
  void release() {
    const std::vector<Split> splits = splits_of(hashes_);
    for (std::size_t i = 0; i < texts_.size(); ++i) take_(std::move(texts_[i]), hashes_[i], splits[i]);
    texts_.clear();
    hashes_.clear();
  }

  std::string domain_;
  const TakeDocument& take_;
  std::array<bool, 3> filled_{};  // by Split
  std::vector<std::string> texts_, hashes_;
};

std::string hash_of_files(const TextSettings& settings, const std::vector<fs::path>& files) {
  Sha256 hash;
  hash.update(fmt::format("{}\n{}\n", Json(settings.split_documents_on).dump(), Json(settings.text_field).dump()));
  for (const fs::path& file : files) {
    std::error_code ignored;
    const auto size = fs::file_size(file, ignored);
    const auto time = fs::last_write_time(file, ignored).time_since_epoch().count();
    hash.update(fmt::format("{}\n{} {}\n", file.string(), size, time));
  }
  return hash.hex();
}

std::int64_t total_size(const std::vector<fs::path>& files) {
  std::int64_t total = 0;
  for (const fs::path& file : files) {
    std::error_code unknown;
    if (const auto size = fs::file_size(file, unknown); !unknown) total += static_cast<std::int64_t>(size);
  }
  return total;
}

std::string nothing_to_read(const std::string& domain, const DomainReport& report) {
  return fmt::format("domain {}: no document with text in {} ({} empty); name files that have some", domain,
                     counted(report.files, "file"), report.empty_documents);
}

}  // namespace

void read_documents(const TextSettings& settings, const std::string& domain, DomainReport& report,
                    const TakeDocument& take, const ReadProgress& progress) {
  const std::vector<fs::path> files = find_files(settings.text, "domain " + domain, settings.except);
  const std::int64_t total = total_size(files);
  report = {};
  report.name = domain;
  report.files_sha256 = hash_of_files(settings, files);
  SeenDocuments seen;
  Splitter splitter(domain, take);
  std::string text;
  std::int64_t done = 0;
  for (const fs::path& path : files) {
    TextFile file(path, settings);
    while (file.next(text)) {
      throw_if_interrupted();
      if (progress) progress(done + file.position(), total);
      if (is_blank(text)) {
        ++report.empty_documents;
        continue;
      }
      std::string sha256 = sha256_hex(text);
      if (seen.insert(sha256)) {
        splitter.add(std::move(text), std::move(sha256));
      } else {
        ++report.duplicates;
      }
    }
    done += file.position();
    report.invalid_utf8 += file.repaired();
    ++report.files;
  }
  if (seen.empty()) throw Error(Cause::input, nothing_to_read(domain, report));
  splitter.finish();
  report.text_sha256 = seen.sha256();
}

std::string files_sha256(const TextSettings& settings, const std::string& domain) {
  return hash_of_files(settings, find_files(settings.text, "domain " + domain, settings.except));
}

}  // namespace btm
