// What the tests of this folder share: reference values, packed files, a tokenizer whose ids are bytes, errors as text.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "btm/core/settings.h"
#include "btm/data/tokenizer.h"

namespace btm::test {

Json data_cases();  // cases.json of tests/oracle/data_cases.py
std::string from_hex(std::string_view hex);
std::string zstd(std::string_view bytes);  // one frame
std::string gzip(std::string_view bytes);  // one member

// 256 bytes, and `<|endoftext|>` = 256. The id of a byte is byte_id.
Tokenizer byte_tokenizer();
TokenId byte_id(char byte);

// The store as an independent Python program reads it: {"dtype": "uint16", "documents": [[...], ...]}.
Json read_by_python(const std::filesystem::path& prefix);

// The message of the Error(input) that `action` throws; fails the test if it throws none.
std::string message_of(const std::function<void()>& action);

}  // namespace btm::test
