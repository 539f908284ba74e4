// Preloaded into btm by faults_test.py: a disk that fills up, and a clock that jumps. BTM_FAULTS names a file of two
// numbers that all processes share: how many more changes of files succeed (negative: all), and the seconds that the
// clock of the day is off by. Only what lies below BTM_FAULTS_BELOW counts.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/e2e/preloaded.h"

namespace {

struct Faults {
  std::atomic<std::int64_t> room, clock;
};

Faults* faults() {
  static Faults* const shared = []() -> Faults* {
    const char* path = std::getenv("BTM_FAULTS");
    const int descriptor = path ? static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC)) : -1;
    if (descriptor < 0) return nullptr;
    void* memory = ::mmap(nullptr, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    ::close(descriptor);
    return memory == MAP_FAILED ? nullptr : static_cast<Faults*>(memory);
  }();
  return shared;
}

bool counts(const char* path) {
  static const char* const below = std::getenv("BTM_FAULTS_BELOW");
  return below && std::strncmp(path, below, std::strlen(below)) == 0;
}

bool counts(int descriptor) {
  return counts(path_of(descriptor).c_str());
}

// Whether the disk is full for the next change of it.
template <class Place>
bool full(Place place) {
  Faults* shared = faults();
  if (!shared || shared->room < 0 || !counts(place)) return false;
  for (std::int64_t room = shared->room; room > 0;) {
    if (shared->room.compare_exchange_weak(room, room - 1)) return false;
  }
  errno = ENOSPC;
  return true;
}

}  // namespace

#define NEXT(name)                                   \
  static const auto original = next(&::name, #name); \
  return original

extern "C" {

ssize_t write(int descriptor, const void* bytes, size_t size) {
  if (full(descriptor)) return -1;
  NEXT(write)(descriptor, bytes, size);
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
  if (full(descriptor)) return -1;
  NEXT(writev)(descriptor, parts, count);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  if (full(descriptor)) return -1;
  NEXT(pwrite)(descriptor, bytes, size, offset);
}

size_t fwrite(const void* bytes, size_t size, size_t count, FILE* file) {
  if (full(::fileno(file))) return 0;
  NEXT(fwrite)(bytes, size, count, file);
}

int fsync(int descriptor) {
  if (full(descriptor)) return -1;
  NEXT(fsync)(descriptor);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_CREAT) && ::access(path, F_OK) != 0 && full(path)) return -1;
  NEXT(open)(path, flags, mode);
}

int mkdir(const char* path, mode_t mode) {
  if (full(path)) return -1;
  NEXT(mkdir)(path, mode);
}

int rename(const char* from, const char* to) {
  if (full(to)) return -1;
  NEXT(rename)(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  if (full(to)) return -1;
  NEXT(renameat2)(from_folder, from, to_folder, to, flags);
}

int link(const char* from, const char* to) {
  if (full(to)) return -1;
  NEXT(link)(from, to);
}

int clock_gettime(clockid_t clock, timespec* now) {
  static const auto original = next(&::clock_gettime, "clock_gettime");
  const int result = original(clock, now);
  if (clock == CLOCK_REALTIME && faults()) now->tv_sec += faults()->clock;
  return result;
}

time_t time(time_t* result) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}
}
