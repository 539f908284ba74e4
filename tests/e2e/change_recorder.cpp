// Preloaded into btm by power_test.py: tells what a power cut would leave. BTM_CHANGES names a folder; each change of a
// name below BTM_CHANGES_BELOW, and each sync, becomes a line of its file `changes`, fields between tabs, in the order
// in which they happened. What a sync made durable is kept as BTM_CHANGES/NUMBER, the number that its line names.
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/e2e/preloaded.h"

namespace {

#define ORIGINAL(name) static const auto original = next(&::name, #name)

bool counts(const std::string& path) {
  static const char* const below = std::getenv("BTM_CHANGES_BELOW");
  return below && std::getenv("BTM_CHANGES") && path.compare(0, std::strlen(below), below) == 0;
}

std::string absolute(const char* path) {
  if (path[0] == '/') return path;
  char folder[PATH_MAX];
  return ::getcwd(folder, sizeof folder) ? std::string(folder) + "/" + path : std::string(path);
}

int open_as_it_is(const std::string& path, int flags) {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC, 0666));
}

// Through system calls: what is recorded must not be recorded in its turn. Keeps errno.
void record(const std::string& line) {
  const int code = errno;
  const int file = open_as_it_is(std::getenv("BTM_CHANGES") + std::string("/changes"), O_WRONLY | O_CREAT | O_APPEND);
  const std::string whole = line + "\n";
  if (::syscall(SYS_write, file, whole.data(), whole.size()) != static_cast<long>(whole.size())) std::abort();
  ::syscall(SYS_close, file);
  errno = code;
}

// The number under which a copy of the file as it is now is kept.
std::string keep(const std::string& path) {
  static std::atomic<int> count{0};
  const std::string number = std::to_string(::getpid()) + "." + std::to_string(count++);
  const int from = open_as_it_is(path, O_RDONLY);
  const int to = open_as_it_is(std::getenv("BTM_CHANGES") + ("/" + number), O_WRONLY | O_CREAT | O_EXCL);
  ssize_t copied = 1;
  while (copied > 0) copied = ::sendfile(to, from, nullptr, 1 << 30);
  if (from < 0 || to < 0 || copied < 0) std::abort();
  ::syscall(SYS_close, from);
  ::syscall(SYS_close, to);
  return number;
}

bool is_there(const std::string& path) {
  struct stat info {};
  const int code = errno;
  const bool there = ::lstat(path.c_str(), &info) == 0;
  errno = code;
  return there;
}

void made(const std::string& path, bool before, bool emptied) {
  if (!before) record("create\t" + path);
  if (before && emptied) record("empty\t" + path);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  ORIGINAL(open);
  const std::string whole = absolute(path);
  const bool writes = (flags & O_ACCMODE) != O_RDONLY && counts(whole);
  const bool before = writes && is_there(whole);
  const int descriptor = original(path, flags, mode);
  if (writes && descriptor >= 0) made(whole, before, flags & O_TRUNC);
  return descriptor;
}

FILE* fopen(const char* path, const char* mode) {
  ORIGINAL(fopen);
  const std::string whole = absolute(path);
  const bool writes = mode[0] != 'r' && counts(whole);
  const bool before = writes && is_there(whole);
  FILE* file = original(path, mode);
  if (writes && file) made(whole, before, mode[0] == 'w');
  return file;
}

int fsync(int descriptor) {
  ORIGINAL(fsync);
  const int result = original(descriptor);
  const std::string path = path_of(descriptor);
  struct stat info {};
  if (result != 0 || !counts(path) || ::fstat(descriptor, &info) != 0) return result;
  record(S_ISDIR(info.st_mode) ? "sync_folder\t" + path : "sync\t" + path + "\t" + keep(path));
  return result;
}

int mkdir(const char* path, mode_t mode) {
  ORIGINAL(mkdir);
  const int result = original(path, mode);
  if (result == 0 && counts(absolute(path))) record("create_folder\t" + absolute(path));
  return result;
}

int rename(const char* from, const char* to) {
  ORIGINAL(rename);
  const int result = original(from, to);
  if (result == 0 && counts(absolute(to))) record("rename\t" + absolute(from) + "\t" + absolute(to));
  return result;
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  ORIGINAL(renameat2);
  const int result = original(from_folder, from, to_folder, to, flags);
  if (result == 0 && counts(absolute(to))) {
    record((flags & RENAME_EXCHANGE ? "exchange\t" : "rename\t") + absolute(from) + "\t" + absolute(to));
  }
  return result;
}

int link(const char* from, const char* to) {
  ORIGINAL(link);
  const int result = original(from, to);
  if (result == 0 && counts(absolute(to))) record("link\t" + absolute(from) + "\t" + absolute(to));
  return result;
}

int unlink(const char* path) {
  ORIGINAL(unlink);
  const int result = original(path);
  if (result == 0 && counts(absolute(path))) record("remove\t" + absolute(path));
  return result;
}

int rmdir(const char* path) {
  ORIGINAL(rmdir);
  const int result = original(path);
  if (result == 0 && counts(absolute(path))) record("remove\t" + absolute(path));
  return result;
}

int remove(const char* path) {
  ORIGINAL(remove);
  const int result = original(path);
  if (result == 0 && counts(absolute(path))) record("remove\t" + absolute(path));
  return result;
}

int unlinkat(int folder, const char* name, int flags) {
  ORIGINAL(unlinkat);
  const std::string path = folder == AT_FDCWD || name[0] == '/' ? absolute(name) : path_of(folder) + "/" + name;
  const int result = original(folder, name, flags);
  if (result == 0 && counts(path)) record("remove\t" + path);
  return result;
}
}
