// Bytes of generated tokens as text that can be shown at once: whole characters, and nothing of a stop string.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace btm {

class TextStream {
 public:
  using Emit = std::function<void(std::string_view text)>;  // valid UTF-8

  TextStream(std::vector<std::string> stops, Emit emit);

  // Takes bytes and emits what is sure to be whole characters before any stop string. True if a stop string was found;
  // what stood before it has then been emitted, and nothing more will be.
  bool add(std::string_view bytes);
  void finish();  // emits what is held back; a character cut short becomes U+FFFD

 private:
  void emit(std::size_t size);
  std::vector<std::string> stops_;
  Emit emit_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace btm
