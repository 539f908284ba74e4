#include "btm/data/prepare.h"

#include <array>
#include <future>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/core/sums.h"
#include "btm/data/token_store.h"

namespace btm {
namespace {

constexpr std::size_t kBatchBytes = 16 << 20;
constexpr std::array<const char*, 3> kSplitNames = {"train", "dev", "test"};  // by Split

// Encodes batch after batch in the background and writes each split's file.
class Encoder {
 public:
  Encoder(const Tokenizer& tokenizer, const fs::path& folder, int threads)
      : tokenizer_(tokenizer),
        threads_(threads),
        writers_{TokenStoreWriter(folder / kSplitNames[0], tokenizer.vocab_size()),
                 TokenStoreWriter(folder / kSplitNames[1], tokenizer.vocab_size()),
                 TokenStoreWriter(folder / kSplitNames[2], tokenizer.vocab_size())} {}

  void add(std::string&& text, Split split) {
    batch_.bytes += text.size();
    batch_.texts.push_back(std::move(text));
    batch_.splits.push_back(split);
    if (batch_.bytes >= kBatchBytes) start();
  }

  void finish(DomainReport& report) {
    start();
    running_.get();
    report.train = counts_[0];
    report.dev = counts_[1];
    report.test = counts_[2];
    for (TokenStoreWriter& writer : writers_) writer.publish();
  }

 private:
  struct Batch {
    std::vector<std::string> texts;
    std::vector<Split> splits;
    std::size_t bytes = 0;
  };

  void start() {
    if (running_.valid()) running_.get();
    running_ = std::async(std::launch::async, [this, batch = std::exchange(batch_, {})] { write(batch); });
  }

  void write(const Batch& batch) {
    std::vector<std::vector<TokenId>> encoded = encode_all(tokenizer_, batch.texts, threads_);
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      const auto split = static_cast<std::size_t>(batch.splits[i]);
      encoded[i].push_back(tokenizer_.end_of_text());
      writers_[split].add(encoded[i]);
      counts_[split].documents += 1;
      counts_[split].tokens += static_cast<std::int64_t>(encoded[i].size());
      counts_[split].bytes += static_cast<std::int64_t>(batch.texts[i].size());
    }
  }

  const Tokenizer& tokenizer_;
  int threads_;
  std::array<TokenStoreWriter, 3> writers_;
  std::array<SplitCounts, 3> counts_;
  Batch batch_;
  std::future<void> running_;  // last: its destructor waits for the work on the members above
};

void refuse_too_small(const DomainReport& report, const std::string& delimiter, std::int64_t least_tokens) {
  const std::int64_t documents = report.train.documents + report.dev.documents + report.test.documents;
  if (documents < 3) {
    throw input_error(
        "domain {}: only {} with text; train, dev and test need one each: give more text, or cut it with "
        "split_documents_on{}",
        report.name, counted(documents, "document"),
        delimiter.empty() ? "" : fmt::format(" (now {})", Json(delimiter).dump()));
  }
  if (report.train.tokens < least_tokens) {
    throw input_error(
        "domain {}: {} tokens to train on ({} documents, {} bytes), and one update needs {}: give more text, or make "
        "training.batch_tokens or model.context smaller",
        report.name, report.train.tokens, report.train.documents, report.train.bytes, least_tokens);
  }
}

void warn_of_useless(const std::string& delimiter, const DomainReport& report) {
  const std::int64_t documents = report.train.documents + report.dev.documents + report.test.documents +
                                 report.duplicates + report.empty_documents;
  if (delimiter.empty() || documents > report.files) return;
  log_warning(fmt::format("domain {}: split_documents_on, {}, is in none of its {}: each is a document", report.name,
                          Json(delimiter).dump(), counted(report.files, "file")));
}

}  // namespace

DomainReport prepare_domain(const TextSettings& settings, const std::string& domain, const Tokenizer& tokenizer,
                            const fs::path& folder, std::int64_t least_tokens, int threads) {
  if (tokenizer.end_of_text() == kNoToken) {
    throw input_error("domain {}: the tokenizer has no end-of-text token to put between documents", domain);
  }
  require_replaceable(folder, kDomainReportFile, "folder of a domain's tokens");
  DomainReport report;
  FolderWriter output(folder);
  {
    Encoder encoder(tokenizer, output.path(), threads);
    Progress bar("prepare " + domain, 1);
    read_documents(
        settings, domain, report,
        [&](std::string&& text, const std::string&, Split split) { encoder.add(std::move(text), split); },
        [&](std::int64_t bytes, std::int64_t of) {
          const double share =
              of > 0 ? static_cast<double>(bytes) / static_cast<double>(of) : 0.0;  // a pipe has no size
          bar.update(share, fmt::format("{}B", format_count(static_cast<double>(bytes))));
        });
    encoder.finish(report);
  }
  refuse_too_small(report, settings.split_documents_on, least_tokens);
  warn_of_useless(settings.split_documents_on, report);
  report.tokenizer_sha256 = tokenizer.sha256();
  report.train_sha256 = TokenStore(output.path() / kSplitNames[0]).sha256();
  report.dev_sha256 = TokenStore(output.path() / kSplitNames[1]).sha256();
  report.test_sha256 = TokenStore(output.path() / kSplitNames[2]).sha256();
  save_domain_report(report, output.path());
  write_sums(output.path());
  output.publish();
  return report;
}

}  // namespace btm
