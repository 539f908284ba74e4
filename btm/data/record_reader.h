// Cuts a stream of bytes into records, holding one record and a block at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "btm/data/byte_source.h"

namespace btm {

class RecordReader {
 public:
  static constexpr std::size_t kLongestRecord = 1 << 30;
  RecordReader(std::unique_ptr<ByteSource> source, std::string name, std::size_t longest = kLongestRecord);

  // The next bytes without taking them: `size` of them, or fewer if the stream ends before.
  std::string_view peek(std::size_t size);
  void skip(std::size_t size);  // what peek showed

  // What is before the next `delimiter`, or the rest; the delimiter is taken and left out. False at the end. The view
  // holds until the next call. Throws Error(input) if a record is longer than `longest`.
  bool until(std::string_view delimiter, std::string_view& record);
  bool rest(std::string_view& record);  // the same without a delimiter: all that is left

  std::int64_t position() const { return source_->position(); }
  const std::string& name() const { return name_; }

 private:
  bool fill();                                // one more block behind what is there; false at the end
  void check_length(std::size_t size) const;  // of a record
  std::unique_ptr<ByteSource> source_;
  std::string name_, buffer_;
  std::size_t longest_;
  std::size_t begin_ = 0, end_ = 0;  // of what is in the buffer and not taken
  bool ended_ = false;
};

}  // namespace btm
