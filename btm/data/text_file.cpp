#include "btm/data/text_file.h"

#include <algorithm>
#include <array>

#include "btm/core/error.h"
#include "btm/data/json_line.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

constexpr std::size_t kLongFile = 100'000;         // a plain text file beyond this many bytes is cut into pieces
constexpr std::size_t kPiece = 20'000;             // bytes; a piece ends at the first line end behind them ...
constexpr std::size_t kLongestPiece = 2 * kPiece;  // ... or here at the latest
constexpr std::size_t kBinaryProbe = 8192;
constexpr std::size_t kFirstLine = 1 << 20;  // bytes that it has as a rule
constexpr double kControlShare = 0.1;        // of the probe: more control characters than this are no text

bool ends_with_one_of(const std::string& name, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [&](std::string_view ending) { return name.ends_with(ending); });
}

void refuse_binary(std::string_view head, const std::string& name) {
  if (head.starts_with("\xff\xfe") || head.starts_with("\xfe\xff")) {
    throw input_error("{}: UTF-16 text; turn it into UTF-8 with: iconv -f UTF-16 -t UTF-8", name);
  }
  constexpr std::array<std::array<std::string_view, 3>, 2> kPackings = {
      {{"\x1f\x8b", "gzip", ".gz"}, {"\x28\xb5\x2f\xfd", "zstd", ".zst"}}};
  for (const auto& [magic, packing, ending] : kPackings) {
    if (head.starts_with(magic)) {
      throw input_error(
          "{}: packed by {}, which is read as it is from files whose names end in {}; rename or unpack it", name,
          packing, ending);
    }
  }
  const auto controls = std::ranges::count_if(head, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < 0x20 && (byte < 0x08 || byte > 0x0d) && byte != 0x1b);  // \b \t \n \v \f \r, escape
  });
  if (head.find('\0') == std::string_view::npos &&
      static_cast<double>(controls) <= kControlShare * static_cast<double>(head.size())) {
    return;
  }
  const bool packed = ends_with_one_of(name, {".bz2", ".xz", ".zip", ".tar", ".7z", ".parquet", ".lz4"});
  throw input_error("{}: a binary file; {}leave it out with a glob such as \"FOLDER/**/*.txt\"", name,
                    packed ? "unpack it (.gz and .zst are read as they are), or " : "");
}

// Of the name, without that of packing; in lower case.
std::string extension_below_packing(const std::filesystem::path& path) {
  const std::string extension = lower_extension(path);
  const bool packed = extension == ".gz" || extension == ".zst";
  return packed ? lower_extension(path.stem()) : extension;
}

// Windows ends lines so, and who writes a plan has "\n" in mind: as the file's first line ends.
std::string in_line_ends_of(std::string_view head, const std::string& delimiter) {
  const std::size_t end = head.find('\n');
  const bool carriage = end != std::string_view::npos && end > 0 && head[end - 1] == '\r';
  if (!carriage || delimiter.find('\r') != std::string::npos) return delimiter;
  std::string result;
  for (const char c : delimiter) result += c == '\n' ? "\r\n" : std::string(1, c);
  return result;
}

// C4 and others call files of JSON lines .json; a single JSON document has no text in its first line.
bool begins_with_json_line(RecordReader& records, std::string_view field) {
  std::string_view head;
  std::size_t begin = 0, end = 0;
  for (std::size_t size = kFirstLine; size <= RecordReader::kLongestRecord; size *= 2) {
    head = records.peek(size);
    begin = std::min(head.find_first_not_of(" \t\r\n"), head.size());
    end = std::min(head.find('\n', begin), head.size());
    const bool whole = end < head.size() || head.size() < size;
    if (whole || !head.substr(begin).starts_with('{')) break;
  }
  std::string line(head.substr(begin, end - begin)), text;
  repair_utf8(line);
  return json_line_text(line, field, text).empty();
}

// Where the piece at the start of `text` ends.
std::size_t piece_end(std::string_view text) {
  if (text.size() <= kPiece * 3 / 2) return text.size();  // fewer than were asked for: the end of the file
  const std::string_view candidates = text.substr(0, kLongestPiece);
  const std::size_t line = candidates.find('\n', kPiece - 1);
  if (line != std::string_view::npos) return line + 1;
  if (text.size() < kLongestPiece) return text.size();
  const std::size_t space = candidates.rfind(' ');
  if (space != std::string_view::npos && space >= kPiece) return space + 1;
  return whole_characters(text, kLongestPiece - 1);
}

// By its name.
bool is_json_lines(const std::filesystem::path& path) {
  const std::string extension = extension_below_packing(path);
  return extension == ".jsonl" || extension == ".ndjson";
}

}  // namespace

TextFile::TextFile(const std::filesystem::path& path, const TextSettings& settings, TextFileOptions options)
    : records_(open_source(path), path.string()), delimiter_(settings.split_documents_on), field_(settings.text_field) {
  refuse_binary(records_.peek(kBinaryProbe), records_.name());
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (records_.peek(kByteOrderMark.size()) == kByteOrderMark) records_.skip(kByteOrderMark.size());
  if (options.json_lines || is_json_lines(path) ||
      (extension_below_packing(path) == ".json" && begins_with_json_line(records_, field_))) {
    kind_ = Kind::json_lines;
  } else if (!delimiter_.empty()) {
    kind_ = Kind::delimited;
    delimiter_ = in_line_ends_of(records_.peek(kFirstLine), delimiter_);
  } else if (options.cut_long && records_.peek(kLongFile + 1).size() > kLongFile) {
    kind_ = Kind::pieces;
  }
}

bool TextFile::next(std::string& text) {
  return kind_ == Kind::json_lines ? next_line(text) : next_plain(text);
}

bool TextFile::next_line(std::string& text) {
  std::string_view line;
  while (records_.until("\n", line)) {
    ++record_;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (find_invalid_utf8(line) != std::string_view::npos) {
      repaired_line_ = line;
      repair_utf8(repaired_line_);
      line = repaired_line_;
      ++repaired_;
    }
    if (std::string problem = json_line_text(line, field_, text); !problem.empty()) {
      throw input_error("{}:{}: {}", records_.name(), record_, problem);
    }
    return true;
  }
  return false;
}

bool TextFile::next_plain(std::string& text) {
  std::string_view record;
  if (kind_ == Kind::pieces) {
    record = records_.peek(kLongestPiece);
    if (record.empty()) return false;
    record = record.substr(0, piece_end(record));
    records_.skip(record.size());  // what is seen of it stays until the next call
  } else if (!(kind_ == Kind::delimited ? records_.until(delimiter_, record) : records_.rest(record))) {
    return false;
  }
  ++record_;
  text = record;
  if (repair_utf8(text)) ++repaired_;
  return true;
}

}  // namespace btm
