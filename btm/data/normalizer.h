// Unicode normalisation form C as `tokenizers` does it.
#pragma once

#include <string>
#include <string_view>

namespace btm {

// The NFC of valid UTF-8, by the tables of Unicode 9 that `tokenizers` carries: what came later is left as it is.
// Returns `text` itself where nothing changes cheaply, else a view of `buffer`.
std::string_view nfc(std::string_view text, std::string& buffer);

}  // namespace btm
