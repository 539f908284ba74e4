// Tokens on disk in Megatron-LM's indexed dataset format (megatron/core/datasets/indexed_dataset.py): PREFIX.bin holds the
// tokens, PREFIX.idx the header "MMIDIDX\0\0", version 1, dtype code, lengths and offsets of the documents.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "btm/core/token.h"

namespace btm {

// Writes documents one by one; nothing is visible before publish(). uint16 where the vocabulary allows, else int32.
class TokenStoreWriter {
 public:
  TokenStoreWriter(std::filesystem::path prefix, int vocab_size);
  ~TokenStoreWriter();
  void add(std::span<const TokenId> document);
  void publish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Memory-mapped; any number of threads may read.
class TokenStore {
 public:
  explicit TokenStore(const std::filesystem::path& prefix);  // throws Error(input): missing, corrupt or truncated
  ~TokenStore();
  TokenStore(TokenStore&&) noexcept;
  std::int64_t documents() const;
  std::int64_t tokens() const;
  std::int64_t length(std::int64_t document) const;
  // Copies tokens [start, start + out.size()) of the document.
  void copy(std::int64_t document, std::int64_t start, std::span<TokenId> out) const;
  // Copies tokens [start, start + out.size()) of the documents laid end to end.
  void copy_stream(std::int64_t start, std::span<TokenId> out) const;
  std::string sha256() const;  // over .bin and .idx: the identity of the data

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace btm
