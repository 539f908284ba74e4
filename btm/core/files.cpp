#include "btm/core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/half_written.h"
#include "btm/core/mapped_file.h"
#include "btm/core/write_error.h"

namespace btm {
namespace {

constexpr std::size_t kWriteBlock = 1 << 20;

void write_all(int descriptor, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw write_error(path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void check_made(const fs::path& folder, std::error_code status) {
  if (status) throw input_error("{}: can't be made: {}", folder.string(), write_reason(status.value()));
}

// Makes renames and new names in the folder durable, where the file system can: some refuse in ways of their own.
// Throws Error(input) on a full or broken disk.
void sync_folder(const fs::path& folder) {
  int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  const int code = ::fsync(descriptor) != 0 ? errno : 0;
  ::close(descriptor);
  errno = code;
  if (code == EIO || code == ENOSPC || code == EDQUOT) throw write_error(folder);
}

// Throws Error(input): NFS and quotas may tell of a full disk only here.
void sync_file(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int code = descriptor < 0 || ::fsync(descriptor) != 0 ? errno : 0;
  if (descriptor >= 0) ::close(descriptor);
  errno = code;
  if (code != 0) throw write_error(path);
}

void rename_over(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw input_error("{}: can't be put in place: {}", to.string(), write_reason(errno));
  }
  sync_folder(to.parent_path());
}

// Returns where the folder that `to` was lies now, to be removed. Swapped in one step, so that there is a whole folder
// of that name at every moment; NFS and Lustre can't (EINVAL), there it is away for a moment.
fs::path replace_folder(const fs::path& from, const fs::path& to) {
  fs::path old = from;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    sync_folder(to.parent_path());
    return old;
  }
  const int code = errno;
  const bool unable = code == EINVAL || code == ENOSYS || code == EOPNOTSUPP;
  if (!unable) throw input_error("{}: can't be put in place: {}", to.string(), write_reason(code));
  old = half_written_name(fs::path(to) += ".removed");
  if (::rename(to.c_str(), old.c_str()) != 0) throw write_error(to);
  try {
    rename_over(from, to);
  } catch (const Error&) {
    ::rename(old.c_str(), to.c_str());  // as it was
    throw;
  }
  return old;
}

void sync_files_below(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) sync_file(entry.path());
    if (entry.is_directory()) sync_folder(entry.path());
  }
  sync_folder(folder);
}

// The folder and those above it that are not there yet, made so that they stay.
std::error_code make_durable_folders(const fs::path& path) {
  std::vector<fs::path> above;  // of each that is made, the one that gets its name
  std::error_code status, missing;
  for (fs::path folder = path; !folder.empty() && !fs::exists(folder, missing); folder = folder.parent_path()) {
    above.push_back(folder.parent_path());
  }
  fs::create_directories(path, status);
  if (!status) std::ranges::for_each(above, sync_folder);
  return status;
}

// The file that a chain of symbolic links ends at, whether it is there or not: what is put in place of a link would
// land on the link's disk, not on the one it points to.
fs::path behind_links(fs::path path) {
  for (int links = 0; links < 40 && fs::is_symlink(path); ++links) {
    path = path.parent_path() / fs::read_symlink(path);  // an absolute one replaces all
  }
  return path;
}

}  // namespace

int open_to_read(const fs::path& path) {
  const int descriptor =
      path == kStandardInput ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  const bool open = descriptor >= 0 && ::fstat(descriptor, &info) == 0;
  if (open && !S_ISDIR(info.st_mode)) return descriptor;
  const int code = open ? EISDIR : errno;
  if (descriptor >= 0) ::close(descriptor);
  throw input_error("{}: can't be read: {}", path.string(), std::strerror(code));
}

std::size_t file_size(int descriptor) {
  struct stat info {};
  return ::fstat(descriptor, &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
}

std::string read_file(const fs::path& path) {
  const int descriptor = open_to_read(path);
  std::string bytes;
  bytes.reserve(file_size(descriptor));
  char block[1 << 16];
  ssize_t n;
  while ((n = ::read(descriptor, block, sizeof block)) > 0 || (n < 0 && errno == EINTR)) {
    if (n > 0) bytes.append(block, static_cast<std::size_t>(n));
  }
  int code = errno;
  ::close(descriptor);
  if (n < 0) throw input_error("{}: can't be read: {}", path.string(), std::strerror(code));
  return bytes;
}

void write_file(const fs::path& path, std::string_view bytes) {
  FileWriter file(path);
  file.write(bytes);
  file.publish();
}

FileWriter::FileWriter(fs::path path) : path_(behind_links(std::move(path))), temporary_(half_written_name(path_)) {
  std::error_code none;
  const fs::file_status there = fs::status(path_, none);
  if (fs::exists(there) && !fs::is_regular_file(there)) {
    throw input_error("{}: can't be replaced: it is no ordinary file", path_.string());
  }
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw write_error(path_);
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void FileWriter::flush() {
  write_all(descriptor_, buffer_, path_);
  buffer_.clear();
}

void FileWriter::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kWriteBlock) flush();
  if (bytes.size() > kWriteBlock) {
    write_all(descriptor_, bytes, path_);
  } else {
    buffer_.append(bytes);
  }
}

void FileWriter::publish() {
  flush();
  if (::fsync(descriptor_) != 0) throw write_error(path_);
  rename_over(temporary_, path_);
  ::close(std::exchange(descriptor_, -1));
}

FolderWriter::FolderWriter(fs::path target)
    : target_(behind_links(std::move(target))), temporary_(half_written_name(target_)) {
  remove_whole(temporary_);
  make_folders(temporary_);
}

FolderWriter::~FolderWriter() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void FolderWriter::publish() {
  sync_files_below(temporary_);
  if (fs::exists(target_)) {
    remove_whole(replace_folder(temporary_, target_));
  } else {
    rename_over(temporary_, target_);
  }
  temporary_.clear();
}

void require_replaceable(const fs::path& folder, const char* mark, const char* kind) {
  if (!fs::exists(folder) || (fs::is_directory(folder) && (fs::is_empty(folder) || fs::exists(folder / mark)))) return;
  throw input_error("{} is there already and is no {} (it has no {}); choose another folder", folder.string(), kind,
                    mark);
}

void append_line(const fs::path& path, std::string_view line) {
  int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) throw write_error(path);
  off_t end = ::lseek(descriptor, 0, SEEK_END);
  try {
    write_all(descriptor, fmt::format("{}\n", line), path);
    if (::fsync(descriptor) != 0) throw write_error(path);  // NFS tells of a full disk here
  } catch (...) {
    if (::ftruncate(descriptor, end) != 0) {
      // The torn line stays; readers of logs drop a last line without its line end.
    }
    ::close(descriptor);
    throw;
  }
  ::close(descriptor);
  if (end == 0) sync_folder(path.parent_path());
}

void link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code status;
  fs::create_hard_link(from, to, status);
  if (!status) return;
  const MappedFile source(from);
  write_file(to, source.bytes());
}

void make_folders(const fs::path& path) {
  check_made(path, make_durable_folders(path));
}

bool make_folders_if_allowed(const fs::path& path) {
  const std::error_code status = make_durable_folders(path);
  if (status == std::errc::permission_denied || status == std::errc::read_only_file_system) return false;
  check_made(path, status);
  return ::access(path.c_str(), W_OK) == 0;
}

void remove_whole(const fs::path& path) {
  std::error_code status, missing;
  fs::path gone = path;
  if (!is_half_written(path) && fs::is_directory(path, missing)) {  // first renamed: no reader meets half of it
    gone = half_written_name(fs::path(path) += ".removed");
    fs::remove_all(gone, status);  // of a killed process that had this one's number
    fs::rename(path, gone, status);
    if (!status) sync_folder(path.parent_path());
  }
  if (!status) fs::remove_all(gone, status);
  if (status) throw input_error("{}: can't be removed: {}", path.string(), write_reason(status.value()));
  if (gone == path && !is_half_written(path)) sync_folder(path.parent_path());
}

}  // namespace btm
