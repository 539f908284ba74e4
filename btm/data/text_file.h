// The documents of one file, one after the other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "btm/core/settings.h"
#include "btm/data/record_reader.h"

namespace btm {

struct TextSettings {
  std::vector<std::string> text;              // files, folders and globs
  std::string split_documents_on;             // for plain text files: a document ends here; "": a file is a document
  std::string text_field = "text";            // for JSON lines
  std::vector<std::filesystem::path> except;  // not a setting: no folder or glob reads what lies in these
};

template <class F>
void visit(TextSettings& s, F&& f) {
  f("text", s.text, "files, folders or globs: .txt, .jsonl, sources; plain, .gz or .zst");
  f("split_documents_on", s.split_documents_on,
    "in plain text files a document ends here; empty: a file is a document");
  f("text_field", s.text_field, "field of a JSON line that holds the text");
}

struct TextFileOptions {
  bool cut_long = true;     // false: a plain text file is one document however long it is; beyond 1 GiB: an error
  bool json_lines = false;  // true: JSON lines whatever the name
};

// JSON lines (.jsonl, .ndjson, .json whose first line is one with the field, all also with .gz or .zst) give a document
// a line, blank lines aside. Any other file is plain text: one document, or several if split_documents_on is set. A
// plain text file of more than 100,000 bytes without that setting is cut at line ends into pieces of about 20,000
// bytes, so that a book in one file has documents to train on and to measure with.
class TextFile {
 public:
  // Throws Error(input): unreadable, or binary.
  TextFile(const std::filesystem::path& path, const TextSettings& settings, TextFileOptions options = {});

  // The next document, valid UTF-8; false at the end. Throws Error(input) with file (and line): truncated or corrupt
  // packing, broken JSON, a JSON line without the field; a document of more than 1 GiB.
  bool next(std::string& text);

  bool json_lines() const { return kind_ == Kind::json_lines; }
  std::int64_t record() const { return record_; }  // number of the last document's; of JSON lines blank ones count, too
  std::int64_t repaired() const { return repaired_; }            // documents in which bytes were replaced by U+FFFD
  std::int64_t position() const { return records_.position(); }  // bytes of the file read so far

 private:
  bool next_line(std::string& text);
  bool next_plain(std::string& text);
  enum class Kind { json_lines, delimited, whole, pieces };
  RecordReader records_;
  std::string delimiter_, field_, repaired_line_;
  Kind kind_ = Kind::whole;
  std::int64_t record_ = 0, repaired_ = 0;
};

}  // namespace btm
