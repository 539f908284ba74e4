// A lock between processes.
#pragma once

#include <string>

#include "btm/core/files.h"

namespace btm {

// An exclusive lock held on a file while the object lives; the kernel drops it when the process dies.
class FileLock {
 public:
  enum class Busy { refuse, wait };
  // Held by another process: throws Error(input) saying that `what` is already at work, with what the holder wrote of
  // itself (host and process id), or says so and waits until it is free (throws Error(interrupted) if a signal comes
  // first).
  FileLock(const fs::path& path, const std::string& what, Busy busy = Busy::refuse);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // Children started from now on, and theirs, hold it too: where this process is killed, it is free when the last of
  // them has ended.
  void pass_to_children() const;

 private:
  void take(const fs::path& path, const std::string& what, Busy busy, bool& told);
  int descriptor_ = -1;
};

}  // namespace btm
