#include "btm/mixture/text_stream.h"

#include <algorithm>

#include "btm/data/utf8.h"

namespace btm {

namespace {

// Length of the longest end of `text` that may be the start of `stop`.
std::size_t started(std::string_view text, std::string_view stop) {
  for (std::size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size) {
    if (text.ends_with(stop.substr(0, size))) return size;
  }
  return 0;
}

// The largest size <= `size` so that `text` up to there doesn't end within a character.
std::size_t whole(std::string_view text, std::size_t size) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, size); ++back) {
    auto byte = static_cast<unsigned char>(text[size - back]);
    if ((byte & 0xc0) == 0x80) continue;  // within a character: look for its first byte
    std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? size - back : size;
  }
  return size;
}

}  // namespace

TextStream::TextStream(std::vector<std::string> stops, Emit emit) : stops_(std::move(stops)), emit_(std::move(emit)) {
  std::erase(stops_, "");
}

void TextStream::emit(std::size_t size) {
  std::string text = held_.substr(0, size);
  held_.erase(0, size);
  repair_utf8(text);
  if (!text.empty()) emit_(text);
}

bool TextStream::add(std::string_view bytes) {
  if (stopped_) return true;
  held_ += bytes;
  std::size_t stop_at = std::string::npos, held_back = 0;
  for (const std::string& stop : stops_) {
    stop_at = std::min(stop_at, held_.find(stop));
    held_back = std::max(held_back, started(held_, stop));
  }
  stopped_ = stop_at != std::string::npos;
  emit(stopped_ ? stop_at : whole(held_, held_.size() - held_back));
  return stopped_;
}

void TextStream::finish() {
  if (!stopped_) emit(held_.size());
  held_.clear();
}

}  // namespace btm
