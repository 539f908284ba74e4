// The files of tests/oracle/tokenizer_cases.py: per record a 32-bit size, then so many bytes or ids.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "btm/data/tokenizer.h"
#include "tests/support/temporary_folder.h"

namespace btm::test {

template <class Record>
std::vector<Record> read_records(const std::filesystem::path& path) {
  const std::string bytes = read(path);
  std::vector<Record> records;
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint32_t count;
    std::memcpy(&count, bytes.data() + at, sizeof count);
    at += sizeof count;
    Record record(count, typename Record::value_type{});
    const std::size_t size = count * sizeof(typename Record::value_type);
    if (size > 0) std::memcpy(record.data(), bytes.data() + at, size);
    at += size;
    records.push_back(std::move(record));
  }
  return records;
}

inline std::vector<std::string> read_texts(const std::filesystem::path& path) {
  return read_records<std::string>(path);
}
inline std::vector<std::vector<TokenId>> read_ids(const std::filesystem::path& path) {
  return read_records<std::vector<TokenId>>(path);
}

}  // namespace btm::test
