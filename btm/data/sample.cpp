#include "btm/data/sample.h"

#include <algorithm>
#include <map>
#include <string>

#include "btm/data/documents.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

// The texts of smallest hash, in the order of their hashes, cut to `limit` bytes in all.
class SmallestHashes {
 public:
  explicit SmallestHashes(std::int64_t limit) : limit_(limit) {}

  void add(std::string&& text, const std::string& sha256) {
    if (bytes_ >= limit_ && !texts_.empty() && sha256 > texts_.rbegin()->first) return;
    bytes_ += size(text);
    texts_.emplace(sha256, std::move(text));
    while (!texts_.empty() && bytes_ - size(texts_.rbegin()->second) >= limit_) {  // enough without the last one
      bytes_ -= size(texts_.rbegin()->second);
      texts_.erase(std::prev(texts_.end()));
    }
  }

  void give(const std::function<void(std::string_view)>& take) const {
    std::int64_t left = limit_;
    for (const auto& [hash, text] : texts_) {
      take(std::string_view(text).substr(0, whole_characters(text, static_cast<std::size_t>(left))));
      left -= std::min(left, size(text));
    }
  }

 private:
  static std::int64_t size(const std::string& text) { return static_cast<std::int64_t>(text.size()); }
  std::map<std::string, std::string> texts_;  // by hash
  std::int64_t limit_, bytes_ = 0;
};

}  // namespace

TextSource balanced_sample(const NamedList<TextSettings>& domains, std::int64_t bytes_per_domain) {
  return [domains, bytes_per_domain](const std::function<void(std::string_view)>& take) {
    for (const auto& [name, settings] : domains) {
      SmallestHashes sample(bytes_per_domain);
      DomainReport report;
      read_documents(settings, name, report, [&](std::string&& text, const std::string& sha256, Split split) {
        if (split == Split::train) sample.add(std::move(text), sha256);
      });
      sample.give(take);
    }
  };
}

}  // namespace btm
