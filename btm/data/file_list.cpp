#include "btm/data/file_list.h"

#include <fnmatch.h>
#include <locale.h>

#include <algorithm>
#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/half_written.h"

namespace btm {
namespace {

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

bool has_wildcard(std::string_view name) {
  return name.find_first_of("*?[") != std::string_view::npos;
}

// {a,b} written out, nested ones too; a brace without a comma or a partner stands for itself.
void expand_braces(const std::string& pattern, std::vector<std::string>& out) {
  for (std::size_t open = pattern.find('{'); open != std::string::npos; open = pattern.find('{', open + 1)) {
    std::vector<std::size_t> marks{open};  // the brace, the commas of its level, the closing brace
    int depth = 0;
    for (std::size_t i = open; i < pattern.size(); ++i) {
      if (pattern[i] == '{') ++depth;
      if (pattern[i] == ',' && depth == 1) marks.push_back(i);
      if (pattern[i] == '}' && --depth == 0) {
        marks.push_back(i);
        break;
      }
    }
    if (depth != 0 || marks.size() < 3) continue;
    for (std::size_t i = 0; i + 1 < marks.size(); ++i) {
      expand_braces(pattern.substr(0, open) + pattern.substr(marks[i] + 1, marks[i + 1] - marks[i] - 1) +
                        pattern.substr(marks.back() + 1),
                    out);
    }
    return;
  }
  out.push_back(pattern);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code status;
  for (fs::directory_iterator it(folder.empty() ? "." : folder, status), end; !status && it != end;
       it.increment(status)) {
    entries.push_back(folder.empty() ? it->path().filename() : it->path());
  }
  if (status) throw input_error("{}: can't be read: {}", folder.string(), status.message());
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path.empty() ? "." : path, ignored);
}

bool is_real_folder(const fs::path& path) {
  std::error_code ignored;
  return is_folder(path) && !fs::is_symlink(path, ignored);
}

// A pipe would be waited for, for ever, and a socket or device has no text; by its own name one can be given.
bool has_no_end(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) && fs::is_other(path, ignored);
}

// Folders that are left out where they are only met.
using LeftOut = std::vector<fs::path>;

// A folder that is met, not named: neither a link nor one of those, nor half-written.
bool is_entered(const fs::path& folder, const LeftOut& except) {
  return is_real_folder(folder) && !is_half_written(folder) &&
         std::ranges::none_of(except, [&folder](const fs::path& other) {
           std::error_code ignored;
           return fs::equivalent(folder, other, ignored);
         });
}

void add_below(const fs::path& folder, const LeftOut& except, std::set<fs::path>& files) {
  for (const fs::path& entry : entries_of(folder)) {
    if (is_hidden(entry) || has_no_end(entry)) continue;
    if (!is_folder(entry)) {
      files.insert(entry);
    } else if (is_entered(entry, except)) {
      add_below(entry, except, files);
    }
  }
}

// The character set of patterns and names, in which ? and [...] are characters, not bytes.
class Utf8 {
 public:
  Utf8() : own_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(own_ ? ::uselocale(own_) : nullptr) {}
  ~Utf8() {
    if (!own_) return;
    ::uselocale(before_);
    ::freelocale(own_);
  }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

 private:
  locale_t own_, before_;
};

// Matches parts[at..] below `base`.
void walk(const fs::path& base, const std::vector<std::string>& parts, std::size_t at, const LeftOut& except,
          std::set<fs::path>& found) {
  if (at == parts.size()) {
    found.insert(base);
  } else if (parts[at] == "**") {
    walk(base, parts, at + 1, except, found);
    if (!is_folder(base)) return;
    for (const fs::path& entry : entries_of(base)) {
      if (!is_hidden(entry) && is_entered(entry, except)) walk(entry, parts, at, except, found);
    }
  } else if (!has_wildcard(parts[at])) {
    std::error_code ignored;
    if (fs::exists(base / parts[at], ignored)) walk(base / parts[at], parts, at + 1, except, found);
  } else if (is_folder(base)) {
    for (const fs::path& entry : entries_of(base)) {
      const bool matches = ::fnmatch(parts[at].c_str(), entry.filename().c_str(), FNM_PERIOD) == 0;
      if (matches && !has_no_end(entry) && (!is_folder(entry) || is_entered(entry, except)))
        walk(entry, parts, at + 1, except, found);
    }
  }
}

std::set<fs::path> glob(const std::string& pattern, const LeftOut& except) {
  std::vector<std::string> parts;
  for (const fs::path& part : fs::path(pattern).relative_path()) {
    if (!part.empty()) parts.push_back(part.string());
  }
  const Utf8 characters;
  std::set<fs::path> found;
  walk(fs::path(pattern).root_path(), parts, 0, except, found);
  return found;
}

// "did you mean ...": where the pattern leaves what exists, the nearest name of that folder, or the link that is
// broken.
std::string nearest_existing(const std::string& pattern) {
  const fs::path path(pattern);
  fs::path there = path.root_path();
  for (const fs::path& part : path.relative_path()) {
    std::error_code ignored;
    if (!has_wildcard(part.string()) && fs::exists(there / part, ignored)) {
      there /= part;
      continue;
    }
    if (fs::is_symlink(there / part, ignored)) return fmt::format("; {} leads nowhere", (there / part).string());
    if (!is_folder(there) || has_wildcard(part.string())) break;
    std::vector<std::string> names;
    for (const fs::path& entry : entries_of(there)) names.push_back(entry.filename().string());
    const std::string near = nearest_word(part.string(), names);
    if (!near.empty()) return did_you_mean((there / near).string());
    break;
  }
  if (there.empty()) return "; paths are taken from the current folder";
  return fmt::format("; what exists is {}", there.string());
}

}  // namespace

std::vector<fs::path> find_files(const std::vector<std::string>& patterns, const std::string& where,
                                 const LeftOut& except) {
  std::set<fs::path> files;
  for (const std::string& pattern : patterns) {
    std::error_code ignored;
    std::set<fs::path> matches;
    if (fs::exists(pattern, ignored)) {  // also a name with [ or { in it
      matches.insert(fs::path(pattern).lexically_normal());
    } else {
      std::vector<std::string> plain;
      expand_braces(pattern, plain);
      for (const std::string& one : plain) matches.merge(glob(fs::path(one).lexically_normal().string(), except));
    }
    if (matches.empty()) throw input_error("{}: {}: no such file{}", where, pattern, nearest_existing(pattern));
    std::set<fs::path> found;
    for (const fs::path& match : matches) {
      if (is_folder(match)) {
        add_below(match, except, found);
      } else {
        found.insert(match);
      }
    }
    if (found.empty()) throw input_error("{}: {}: the folder has no files", where, pattern);
    files.merge(found);
  }
  if (files.empty()) throw input_error("{}: no text is named; set `text` to files, folders or globs", where);
  return {files.begin(), files.end()};
}

}  // namespace btm
