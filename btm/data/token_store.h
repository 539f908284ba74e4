// Tokens on disk in Megatron-LM's indexed dataset format (megatron/core/datasets/indexed_dataset.py): PREFIX.bin holds
// the tokens, PREFIX.idx the header "MMIDIDX\0\0", version 1, dtype code, lengths and offsets of the sequences, and
// which of them make a document (here one each; files of others may have several).
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
  TokenStoreWriter(const std::filesystem::path& prefix, int vocab_size);
  ~TokenStoreWriter();
  void add(std::span<const TokenId> document);  // ids in [0, vocab_size); fewer than 2^31 of them
  void publish();                               // .bin, then .idx

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Memory-mapped; any number of threads may read. Opening checks that index and tokens fit together, so that no document
// reaches outside; it does not look at the tokens themselves (sha256 does).
class TokenStore {
 public:
  explicit TokenStore(const std::filesystem::path& prefix);  // throws Error(input): missing, corrupt or truncated
  ~TokenStore();
  TokenStore(TokenStore&&) noexcept;
  const std::filesystem::path& prefix() const;
  std::int64_t documents() const;
  std::int64_t tokens() const;
  std::int64_t length(std::int64_t document) const;
  // Copies tokens [start, start + out.size()) of the document. Outside of what there is: Error(failed), here and below.
  void copy(std::int64_t document, std::int64_t start, std::span<TokenId> out) const;
  // Copies tokens [start, start + out.size()) of the documents laid end to end.
  void copy_stream(std::int64_t start, std::span<TokenId> out) const;
  std::string sha256() const;  // over .bin and then .idx, read whole: the identity of the data

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace btm
