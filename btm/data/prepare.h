// From a domain's text to its token files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "btm/core/settings.h"
#include "btm/data/tokenizer.h"

namespace btm {

struct TextSettings {
  std::vector<std::string> text;   // files, folders and globs
  std::string split_documents_on;  // for plain text files: a document ends here; "": a file is a document
  std::string text_field = "text"; // for JSON lines
};

template <class F>
void visit(TextSettings& s, F&& f) {
  f("text", s.text, "files, folders or globs: .txt, .jsonl, sources; plain, .gz or .zst");
  f("split_documents_on", s.split_documents_on, "in plain text files a document ends here; empty: a file is a document");
  f("text_field", s.text_field, "field of a JSON line that holds the text");
}

struct SplitCounts {
  std::int64_t documents = 0, tokens = 0, bytes = 0;
};

// What was found in a domain's text; tokens/DOMAIN/domain.json.
struct DomainReport {
  std::string name;
  std::string text_sha256;      // over the SHA-256 of the documents, sorted: independent of the order of files
  std::string files_sha256;     // over path, size and time of the files: a quick "nothing changed"
  std::int64_t files = 0, duplicates = 0, empty_documents = 0, invalid_utf8 = 0;  // the last: documents repaired
  SplitCounts train, dev, test;
  std::string tokenizer_sha256;
  std::string train_sha256, dev_sha256, test_sha256;  // TokenStore::sha256
};

enum class Split { train, dev, test };

// Share of documents: 96 % train, 2 % dev, 2 % test, by the first 8 bytes of the document's SHA-256. A split never
// depends on other documents. (prepare_domain makes sure that dev and test are not empty, by moving the documents with
// the smallest hashes; it says so in the log.)
Split split_of(std::string_view document_sha256);

// Calls `take` for every document in the order of the sorted file names: duplicates and documents without text left out,
// invalid UTF-8 replaced by U+FFFD, all counted in `report`. Throws Error(input) with file (and line): nothing matches,
// unreadable, binary file, truncated or corrupt .gz/.zst, broken JSON line, missing field.
void read_documents(const TextSettings& settings, const std::string& domain, DomainReport& report,
                    const std::function<void(std::string&& text, const std::string& sha256, Split split)>& take);

// Tokenises into FOLDER/{train,dev,test}.{bin,idx} and FOLDER/domain.json, each document followed by end-of-text; the
// folder appears whole. Throws Error(input) also if train has fewer than `least_tokens` tokens.
DomainReport prepare_domain(const TextSettings& settings, const std::string& domain, const Tokenizer& tokenizer,
                            const std::filesystem::path& folder, std::int64_t least_tokens, int threads);

DomainReport load_domain_report(const std::filesystem::path& folder);  // throws Error(input)

// Path, size and time of the files that the settings name: `files_sha256` of a report without reading them.
std::string files_sha256(const TextSettings& settings, const std::string& domain);

}  // namespace btm
