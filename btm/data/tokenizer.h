// Byte-level BPE tokenizer that reads and writes Hugging Face `tokenizer.json`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btm/core/token.h"

namespace btm {

// Immutable once made; any number of threads may encode and decode with one Tokenizer at once.
class Tokenizer {
 public:
  // Reads DIR/tokenizer.json (or the file itself). Supported: model BPE (byte-level alphabet), pre-tokenizers
  // ByteLevel, Split with a regex or a string, Digits, and Sequences of these; normalizers none and NFC; added tokens.
  // Throws Error(input) naming the file and the part that is broken or not supported. Truncation and padding are not
  // applied.
  static Tokenizer load(const std::filesystem::path& path);
  static Tokenizer parse(std::string_view json, const std::string& name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // The ids that `tokenizers` gives for encode(text, add_special_tokens=False). Invalid UTF-8 is the caller's to
  // replace.
  std::vector<TokenId> encode(std::string_view text) const;
  void encode(std::string_view text, std::vector<TokenId>& ids) const;  // appends
  // Bytes of the ids joined; may be invalid UTF-8 where a character is cut. Special tokens are left out if asked.
  std::string decode(std::span<const TokenId> ids, bool skip_special = true) const;

  int vocab_size() const;             // highest id + 1
  TokenId end_of_text() const;        // `<|endoftext|>` or the file's equivalent; -1 if it has none
  int byte_length(TokenId id) const;  // bytes of text that the token stands for; 0 for special tokens
  const std::string& json() const;    // the file's bytes
  const std::string& sha256() const;  // of json(): the tokenizer's identity
  // tokenizer.json, tokenizer_config.json, and what else the folder that it was loaded from has for whoever uses it
  // with transformers: special_tokens_map.json, added_tokens.json, chat templates. Beside a model of so short a
  // `context`, texts are cut there and no later (model_max_length).
  void save(const std::filesystem::path& dir, int context = 0) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Encodes many texts at once on `threads` threads; result i is of text i.
std::vector<std::vector<TokenId>> encode_all(const Tokenizer& tokenizer, std::span<const std::string> texts,
                                             int threads);

}  // namespace btm
