#include "btm/train/metrics.h"

#include <unistd.h>

#include <cerrno>

#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/core/write_error.h"

namespace btm {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

MetricsFile::MetricsFile(const fs::path& path, std::int64_t bytes, const std::string& xxh3,
                         const fs::path& event_folder)
    : path_(path) {
  file_.reset(std::fopen(path.c_str(), "ae"));
  if (!file_) throw write_error(path);
  std::setvbuf(file_.get(), nullptr, _IONBF, 0);  // lines_ is the buffer
  if (static_cast<std::int64_t>(fs::file_size(path)) < bytes) {
    log_warning(fmt::format("{}: lines are missing; those of the rest of the run follow", path.string()));
    bytes = static_cast<std::int64_t>(read_file(path).rfind('\n') + 1);  // npos + 1 is 0
  }
  if (::ftruncate(::fileno(file_.get()), bytes) != 0) {
    throw write_error(path);
  }
  const std::string lines = read_file(path);
  hash_.update(lines);
  if (!xxh3.empty() && hash_.hex() != xxh3) {
    log_warning(
        fmt::format("{}: not what was written up to the checkpoint; the curve has wrong points, the weights "
                    "are not touched",
                    path.string()));
  }
  events_.emplace(event_folder, lines);
}

void MetricsFile::add(std::int64_t update, std::int64_t tokens, const UpdateReport& report, double tokens_per_second,
                      std::optional<double> dev_loss) {
  auto out = std::back_inserter(lines_);
  fmt::format_to(
      out, R"({{"update":{},"tokens":{},"loss":{},"learning_rate":{},"gradient_norm":{},"tokens_per_second":{:.0f})",
      update, tokens, report.loss, report.learning_rate, report.gradient_norm, tokens_per_second);
  if (dev_loss) fmt::format_to(out, R"(,"dev_loss":{})", *dev_loss);
  fmt::format_to(out, R"(,"time":{:.3f}}})", seconds_since_1970());
  lines_ += '\n';
}

std::int64_t MetricsFile::flush() {
  int descriptor = ::fileno(file_.get());
  if (std::fwrite(lines_.data(), 1, lines_.size(), file_.get()) != lines_.size()) throw write_error(path_);
  if (::fsync(descriptor) != 0) throw write_error(path_);
  hash_.update(lines_);
  events_->add(lines_);
  lines_.clear();
  return static_cast<std::int64_t>(::lseek(descriptor, 0, SEEK_END));
}

std::string MetricsFile::xxh3() const {
  return hash_.hex();
}

}  // namespace btm
