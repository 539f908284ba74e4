// Files that appear whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace btm {

namespace fs = std::filesystem;

inline constexpr const char* kStandardInput = "/dev/stdin";

// A descriptor to read from, the caller's. Standard input goes on where it stands: opened by its name, a file would
// begin anew, and a socket can't be. Throws Error(input), also for a folder.
int open_to_read(const fs::path& path);

std::size_t file_size(int descriptor);  // in bytes, of what open_to_read() opened; of a pipe 0

std::string read_file(const fs::path& path);  // throws Error(input) naming the path and the system's reason

// Writes beside, fsync, rename, fsync of the folder. Throws Error(input) on a full disk or a read-only folder; then the
// old file, if any, is untouched and nothing is left beside it. A link is written where it points to; what is no
// ordinary file (a device, a pipe, a folder) is not replaced.
void write_file(const fs::path& path, std::string_view bytes);

// The same for a file written in pieces. Nothing is visible before publish(); destruction without it removes the file.
class FileWriter {
 public:
  explicit FileWriter(fs::path path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(std::string_view bytes);
  void publish();

 private:
  void flush();
  fs::path path_, temporary_;
  int descriptor_ = -1;
  std::string buffer_;
};

// The same for a folder: fill path(), then publish() renames it. An existing folder of that name is replaced, in one
// step where the file system can.
class FolderWriter {
 public:
  explicit FolderWriter(fs::path target);
  ~FolderWriter();
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;
  const fs::path& path() const { return temporary_; }
  void publish();

 private:
  fs::path target_, temporary_;
};

// Throws Error(input) where something is that may not be replaced: all but an empty folder and one that holds a file
// called `mark`, as every folder of its kind does; `kind` says what it is, for the message.
void require_replaceable(const fs::path& folder, const char* mark, const char* kind);

// Adds one line to a log that is read as "all whole lines": a single write, then fsync.
void append_line(const fs::path& path, std::string_view line);

// `to` becomes another name of the file, or, whole or not at all, a copy where the file system can't: for files that
// are not written to again.
void link_or_copy(const fs::path& from, const fs::path& to);

void make_folders(const fs::path& path);  // throws Error(input) with the system's reason
// The same, if whoever runs this may: false where the folder is someone else's or on a read-only disk.
bool make_folders_if_allowed(const fs::path& path);

// Removes a file or a folder with its content, if there. To readers it goes in one step; durable on return. Throws
// Error(input) with the system's reason.
void remove_whole(const fs::path& path);

}  // namespace btm
