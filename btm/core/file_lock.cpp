#include "btm/core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "btm/core/error.h"
#include "btm/core/host.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/write_error.h"

namespace btm {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(500);
constexpr int kTries = 10;  // on file systems that give a file another number each time

bool names(const fs::path& path, int descriptor) {
  struct stat there {
  }, open{};
  return ::stat(path.c_str(), &there) == 0 && ::fstat(descriptor, &open) == 0 && there.st_ino == open.st_ino &&
         there.st_dev == open.st_dev;
}

// What the holder wrote of itself; it may be removing the file right now.
std::string holder_of(const fs::path& path) {
  try {
    const std::string holder = read_file(path);
    if (!holder.empty()) return holder;
  } catch (const Error& e) {
    log_detail(e.what());
  }
  return "unknown";
}

}  // namespace

FileLock::FileLock(const fs::path& path, const std::string& what, Busy busy) {
  bool told = false;
  int tries = 0;
  do {  // again where the file was removed while this one waited for it
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw write_error(path);
    take(path, what, busy, told);
  } while (!names(path, descriptor_) && ++tries < kTries);
  std::string self = fmt::format("{} on {}", ::getpid(), host_name());
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, self.data(), self.size(), 0) < 0) {
    // The id is only a help for the reader of the message below.
  }
}

void FileLock::take(const fs::path& path, const std::string& what, Busy busy, bool& told) {
  for (; ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0; told = true) {
    const int code = errno;
    const auto at_work = [&] {
      return fmt::format("{} is already at work (process {}, lock {})", what, holder_of(path), path.string());
    };
    if (code == EWOULDBLOCK && busy == Busy::wait && !interrupted()) {
      if (!told) log_info(at_work() + "; waiting for it");
      std::this_thread::sleep_for(kPoll);
      continue;
    }
    ::close(descriptor_);
    throw_if_interrupted();
    if (code != EWOULDBLOCK) throw input_error("{}: can't be locked: {}", path.string(), write_reason(code));
    throw input_error("{}; wait for it or stop it", at_work());
  }
}

void FileLock::pass_to_children() const {
  ::fcntl(descriptor_, F_SETFD, 0);
}

FileLock::~FileLock() {
  ::flock(descriptor_, LOCK_UN);  // also where a child holds it that stays behind
  ::close(descriptor_);
}

}  // namespace btm
