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
  const std::string_view shown = std::string_view(held_).substr(0, held_.size() - held_back);
  emit(stopped_ ? stop_at : finished_characters(shown));
  return stopped_;
}

void TextStream::finish() {
  if (!stopped_) emit(held_.size());
  held_.clear();
}

}  // namespace btm
