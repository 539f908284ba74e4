#include "btm/core/half_written.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/host.h"

namespace btm {
namespace {

constexpr const char* kHalfWritten = ".tmp";
constexpr auto kSilentWriter = std::chrono::hours(1);  // after which one on another host is taken for killed

// The time of the last change of a file or of what is in a folder.
fs::file_time_type last_change(const fs::path& path) {
  std::error_code none;
  fs::file_time_type last = fs::last_write_time(path, none);
  if (none) return fs::file_time_type::min();
  for (const auto& entry : fs::directory_iterator(path, none)) {
    const fs::file_time_type time = entry.last_write_time(none);
    if (!none) last = std::max(last, time);
  }
  return last;
}

// As far as a half-written name has room for it: of a file system's 255 bytes models' names may take 200.
const std::string& short_host_name() {
  static const std::string name = [] {
    constexpr std::size_t kLongest = 20, kHash = 8;
    const std::string whole = host_name();
    if (whole.size() <= kLongest) return whole;
    return whole.substr(0, kLongest - kHash) + fmt::format("{:016x}", xxh3(whole)).substr(0, kHash);
  }();
  return name;
}

// Whether the process that a half-written name tells of is at work: it is alive here, or wrote lately on another host.
bool is_being_written(const fs::path& path) {
  const std::string name = path.stem().string();  // NAME.HOST.PID
  const std::size_t dot = name.rfind('.');
  if (dot == name.npos) return false;
  const std::string before = name.substr(0, dot);
  const int process = std::atoi(name.c_str() + dot + 1);
  if (before.ends_with("." + short_host_name())) {
    return process > 0 && process != ::getpid() && (::kill(process, 0) == 0 || errno == EPERM);
  }
  return before.find('.') != before.npos && fs::file_time_type::clock::now() - last_change(path) < kSilentWriter;
}

template <class F>
void remove_half_written_if(const fs::path& folder, F&& wanted) {
  std::vector<fs::path> left;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (is_half_written(entry.path()) && wanted(entry.path())) left.push_back(entry.path());
  }
  for (const fs::path& path : left) remove_whole(path);
}

}  // namespace

fs::path half_written_name(const fs::path& path) {
  fs::path name = path;
  name += fmt::format(".{}.{}{}", short_host_name(), ::getpid(), kHalfWritten);
  return name;
}

bool is_half_written(const fs::path& path) {
  return path.extension() == kHalfWritten;
}

void remove_leftovers(const fs::path& folder) {
  remove_half_written_if(folder, [](const fs::path& path) { return !is_being_written(path); });
}

void remove_half_written(const fs::path& folder) {
  remove_half_written_if(folder, [](const fs::path&) { return true; });
}

}  // namespace btm
