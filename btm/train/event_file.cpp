#include "btm/train/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/settings.h"
#include "btm/core/write_error.h"
#include "btm/train/event_record.h"

namespace btm {
namespace {

constexpr std::string_view kTags[] = {"loss", "dev_loss", "learning_rate", "gradient_norm", "tokens_per_second"};

// Preceded by the record that opens a file, if `begin`.
std::string records_of(std::string_view metrics, bool begin) {
  std::string records;
  for (std::size_t end; (end = metrics.find('\n')) != std::string_view::npos; metrics.remove_prefix(end + 1)) {
    Json line = Json::parse(metrics.substr(0, end), nullptr, false);
    const auto number = [&line](std::string_view key) { return line.contains(key) && line[key].is_number(); };
    if (!line.is_object() || !number("update")) continue;
    const double time = number("time") ? line["time"].get<double>() : 0;
    std::vector<Scalar> scalars;
    for (std::string_view tag : kTags) {
      if (number(tag)) scalars.push_back({tag, line[tag].get<double>()});
    }
    if (begin) records += version_record(time);
    begin = false;
    records += scalars_record(time, line["update"].get<std::int64_t>(), scalars);
  }
  return records;
}

void write_at(int descriptor, std::int64_t at, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    ssize_t n = ::pwrite(descriptor, bytes.data(), bytes.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw write_error(path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += n;
  }
}

}  // namespace

fs::path event_file(const fs::path& folder) {
  return folder / "events.out.tfevents.btm";
}

std::string events_of(std::string_view metrics) {
  return records_of(metrics, true);
}

EventFile::EventFile(const fs::path& folder, std::string_view metrics) : path_(event_file(folder)) {
  make_folders(folder);
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw write_error(path_);
  try {
    write(metrics);
    if (::ftruncate(descriptor_, size_) != 0) throw write_error(path_);
    sync();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

EventFile::~EventFile() {
  ::close(descriptor_);
}

void EventFile::add(std::string_view metrics) {
  write(metrics);
  sync();
}

void EventFile::write(std::string_view metrics) {
  const std::string records = records_of(metrics, size_ == 0);
  write_at(descriptor_, size_, records, path_);
  size_ += static_cast<std::int64_t>(records.size());
}

void EventFile::sync() const {
  if (::fsync(descriptor_) != 0) throw write_error(path_);
}

}  // namespace btm
