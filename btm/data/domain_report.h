// What was found in a domain's text; tokens/DOMAIN/domain.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "btm/core/settings.h"

namespace btm {

struct SplitCounts {
  std::int64_t documents = 0, tokens = 0, bytes = 0;  // tokens with one end-of-text a document, bytes without
};

template <class F>
void visit(SplitCounts& s, F&& f) {
  f("documents", s.documents, "documents");
  f("tokens", s.tokens, "tokens, with one end-of-text a document");
  f("bytes", s.bytes, "bytes of text");
}

struct DomainReport {
  std::string name;
  std::string text_sha256;   // over the SHA-256 of the documents, sorted: independent of the order of files
  std::string files_sha256;  // over path, size and time of the files: a quick "nothing changed"
  std::int64_t files = 0, duplicates = 0, empty_documents = 0, invalid_utf8 = 0;  // the last: documents repaired
  SplitCounts train, dev, test;
  std::string tokenizer_sha256;
  std::string train_sha256, dev_sha256, test_sha256;  // TokenStore::sha256
};

template <class F>
void visit(DomainReport& s, F&& f) {
  f("name", s.name, "the domain");
  f("files", s.files, "files read");
  f("duplicates", s.duplicates, "documents left out because the same text came before");
  f("empty_documents", s.empty_documents, "documents left out because they have no text");
  f("invalid_utf8", s.invalid_utf8, "documents in which bytes that are not UTF-8 became U+FFFD");
  f("train", s.train, "documents to train on");
  f("dev", s.dev, "documents to choose settings with");
  f("test", s.test, "documents to measure with");
  f("text_sha256", s.text_sha256, "over the SHA-256 of the documents, sorted");
  f("files_sha256", s.files_sha256, "over the reading settings and path, size and time of the files");
  f("tokenizer_sha256", s.tokenizer_sha256, "of tokenizer.json");
  f("train_sha256", s.train_sha256, "over train.bin and train.idx");
  f("dev_sha256", s.dev_sha256, "over dev.bin and dev.idx");
  f("test_sha256", s.test_sha256, "over test.bin and test.idx");
}

inline constexpr const char* kDomainReportFile = "domain.json";

// Loading throws Error(input): missing, not JSON, unknown or wrong fields.
DomainReport load_domain_report(const std::filesystem::path& folder);
void save_domain_report(const DomainReport& report, const std::filesystem::path& folder);

}  // namespace btm
