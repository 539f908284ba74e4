#include "btm/data/record_reader.h"

#include <algorithm>
#include <cstring>

#include "btm/core/error.h"

namespace btm {
namespace {

constexpr std::size_t kReadSize = 1 << 18;

}  // namespace

RecordReader::RecordReader(std::unique_ptr<ByteSource> source, std::string name, std::size_t longest)
    : source_(std::move(source)), name_(std::move(name)), longest_(longest) {}

bool RecordReader::fill() {
  if (ended_) return false;
  if (begin_ > 0 && buffer_.size() - end_ < kReadSize) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < kReadSize) buffer_.resize(std::max(end_ + kReadSize, 2 * end_));
  const std::size_t size = source_->read({buffer_.data() + end_, kReadSize});
  end_ += size;
  ended_ = size == 0;
  return !ended_;
}

std::string_view RecordReader::peek(std::size_t size) {
  while (end_ - begin_ < size && fill()) {
  }
  return {buffer_.data() + begin_, std::min(size, end_ - begin_)};
}

void RecordReader::skip(std::size_t size) {
  begin_ += size;
}

void RecordReader::check_length(std::size_t size) const {
  if (size <= longest_) return;
  throw input_error("{}: a document of more than 1 GiB; is this the right file, and where do its documents end?",
                    name_);
}

bool RecordReader::until(std::string_view delimiter, std::string_view& record) {
  std::size_t searched = 0;
  for (;;) {
    const std::string_view ahead(buffer_.data() + begin_, end_ - begin_);
    const std::size_t found = ahead.find(delimiter, searched);
    if (found != std::string_view::npos) {
      record = ahead.substr(0, found);
      begin_ += found + delimiter.size();
      return true;
    }
    searched = ahead.size() - std::min(ahead.size(), delimiter.size() - 1);
    check_length(ahead.size());
    if (!fill()) break;
  }
  return rest(record);
}

bool RecordReader::rest(std::string_view& record) {
  record = peek(longest_ + 1);
  check_length(record.size());
  begin_ = end_;
  return !record.empty();
}

}  // namespace btm
