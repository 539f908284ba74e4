#include "btm/data/token_store.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/mapped_file.h"

namespace btm {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian and read in place");

// megatron/core/datasets/indexed_dataset.py: _INDEX_HEADER, the version, class DType, DType.optimal_dtype.
constexpr std::string_view kMagic("MMIDIDX\0\0", 9);
constexpr std::uint64_t kVersion = 1;
constexpr std::uint8_t kInt32 = 4, kUint16 = 8;
constexpr int kLeastWideVocabulary = 65500;
constexpr std::size_t kHeader = 9 + 8 + 1 + 8 + 8;  // magic, version, dtype, sequences, documents + 1

fs::path with_ending(const fs::path& prefix, const char* ending) {
  fs::path path = prefix;
  path += ending;
  return path;
}

template <class T>
T read_value(const char* at) {  // the arrays start at odd addresses
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

struct TokenStoreWriter::Impl {
  Impl(const fs::path& prefix, int vocab_size)
      : tokens(with_ending(prefix, ".bin")),
        index(with_ending(prefix, ".idx")),
        wide(vocab_size >= kLeastWideVocabulary) {}

  FileWriter tokens, index;
  bool wide;
  std::vector<std::int32_t> lengths;
  std::vector<std::uint16_t> narrow;  // scratch
};

TokenStoreWriter::TokenStoreWriter(const fs::path& prefix, int vocab_size)
    : impl_(std::make_unique<Impl>(prefix, vocab_size)) {}

TokenStoreWriter::~TokenStoreWriter() = default;

void TokenStoreWriter::add(std::span<const TokenId> document) {
  if (document.size() > std::numeric_limits<std::int32_t>::max()) {
    throw input_error("a document of {} tokens; the format takes fewer than 2^31", document.size());
  }
  impl_->lengths.push_back(static_cast<std::int32_t>(document.size()));
  if (impl_->wide) {
    impl_->tokens.write({reinterpret_cast<const char*>(document.data()), document.size_bytes()});
  } else {
    impl_->narrow.assign(document.begin(), document.end());
    impl_->tokens.write({reinterpret_cast<const char*>(impl_->narrow.data()), 2 * impl_->narrow.size()});
  }
}

void TokenStoreWriter::publish() {
  FileWriter& index = impl_->index;
  const std::uint64_t sequences = impl_->lengths.size();
  index.write(kMagic);
  index.write(bytes_of(kVersion));
  index.write(bytes_of(impl_->wide ? kInt32 : kUint16));
  index.write(bytes_of(sequences));
  index.write(bytes_of(sequences + 1));
  index.write({reinterpret_cast<const char*>(impl_->lengths.data()), 4 * impl_->lengths.size()});
  std::int64_t pointer = 0;
  for (const std::int32_t length : impl_->lengths) {
    index.write(bytes_of(pointer));
    pointer += length * (impl_->wide ? std::int64_t{4} : std::int64_t{2});
  }
  for (std::uint64_t document = 0; document <= sequences; ++document) index.write(bytes_of(document));
  impl_->tokens.publish();
  index.publish();
}

struct TokenStore::Impl {
  explicit Impl(const fs::path& prefix_)
      : prefix(prefix_), bin(with_ending(prefix, ".bin")), idx(with_ending(prefix, ".idx")) {
    read_header();
    check_sequences();
    check_documents();
  }

  void read_header() {
    const std::string_view bytes = idx.bytes();
    if (bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size())) broken("it is not a Megatron-LM index");
    if (bytes.size() < kHeader) broken("it is truncated");
    const auto version = read_value<std::uint64_t>(&bytes[9]);
    if (version != kVersion) broken(fmt::format("version {}, expected {}", version, kVersion));
    const auto type = read_value<std::uint8_t>(&bytes[17]);
    if (type != kInt32 && type != kUint16) broken(fmt::format("dtype code {}, expected 4 or 8 (int32, uint16)", type));
    width = type == kInt32 ? 4 : 2;
    const auto sequence_count = read_value<std::uint64_t>(&bytes[18]),
               document_count = read_value<std::uint64_t>(&bytes[26]);
    const std::uint64_t room = bytes.size() - kHeader;
    if (sequence_count > room / 12 || document_count > room / 8 || document_count == 0 ||
        12 * sequence_count + 8 * document_count != room) {
      broken(fmt::format("{} bytes do not hold {} sequences and {} documents", bytes.size(), sequence_count,
                         document_count));
    }
    sequences = static_cast<std::int64_t>(sequence_count);
    documents = static_cast<std::int64_t>(document_count) - 1;
    lengths = bytes.data() + kHeader;
    pointers = lengths + 4 * sequences;
    bounds = pointers + 8 * sequences;
  }

  void check_sequences() {
    std::int64_t end = 0;
    for (std::int64_t i = 0; i < sequences; ++i) {
      const auto length = read_value<std::int32_t>(lengths + 4 * i);
      if (length < 0) broken(fmt::format("sequence {} has length {}", i, length));
      if (read_value<std::int64_t>(pointers + 8 * i) != end * width) {
        broken(fmt::format("sequence {} starts at byte {}, expected {}", i, read_value<std::int64_t>(pointers + 8 * i),
                           end * width));
      }
      end += length;
    }
    tokens = end;
    if (static_cast<std::int64_t>(bin.bytes().size()) != tokens * width) {
      throw input_error(
          "{}.bin: {} bytes, and its index speaks of {}: one of the two is truncated; prepare the tokens again",
          prefix.string(), bin.bytes().size(), tokens * width);
    }
  }

  void check_documents() {
    std::int64_t before = 0;
    for (std::int64_t i = 0; i <= documents; ++i) {
      const auto bound = read_value<std::int64_t>(bounds + 8 * i);
      if (bound < before || bound > sequences || (i == 0 && bound != 0) || (i == documents && bound != sequences)) {
        broken(fmt::format("document {} starts at sequence {} of {}", i, bound, sequences));
      }
      before = bound;
    }
  }

  [[noreturn]] void broken(const std::string& what) const {
    throw input_error("{}.idx: {}; prepare the tokens again", prefix.string(), what);
  }

  std::int64_t start_of(std::int64_t document) const {  // in tokens
    const auto sequence = read_value<std::int64_t>(bounds + 8 * document);
    return sequence == sequences ? tokens : read_value<std::int64_t>(pointers + 8 * sequence) / width;
  }

  void copy(std::int64_t start, std::span<TokenId> out) const {
    const char* at = bin.bytes().data() + start * width;
    if (width == 4) {
      if (!out.empty()) std::memcpy(out.data(), at, out.size_bytes());
    } else {
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = read_value<std::uint16_t>(at + 2 * i);
    }
  }

  fs::path prefix;
  MappedFile bin, idx;
  std::int64_t width = 2;  // bytes of a token
  std::int64_t sequences = 0, documents = 0, tokens = 0;
  const char *lengths = nullptr, *pointers = nullptr, *bounds = nullptr;  // int32, int64, int64 in idx
};

TokenStore::TokenStore(const fs::path& prefix) : impl_(std::make_unique<Impl>(prefix)) {}

TokenStore::~TokenStore() = default;
TokenStore::TokenStore(TokenStore&&) noexcept = default;

const fs::path& TokenStore::prefix() const {
  return impl_->prefix;
}

std::int64_t TokenStore::documents() const {
  return impl_->documents;
}

std::int64_t TokenStore::tokens() const {
  return impl_->tokens;
}

std::int64_t TokenStore::length(std::int64_t document) const {
  if (document < 0 || document >= impl_->documents) {
    throw failure("{}: document {} of {}", impl_->prefix.string(), document, impl_->documents);
  }
  return impl_->start_of(document + 1) - impl_->start_of(document);
}

void TokenStore::copy(std::int64_t document, std::int64_t start, std::span<TokenId> out) const {
  const std::int64_t size = length(document);
  if (start < 0 || start + static_cast<std::int64_t>(out.size()) > size) {
    throw failure("{}: {} tokens from {} on, and document {} has {}", impl_->prefix.string(), out.size(), start,
                  document, size);
  }
  impl_->copy(impl_->start_of(document) + start, out);
}

void TokenStore::copy_stream(std::int64_t start, std::span<TokenId> out) const {
  if (start < 0 || start + static_cast<std::int64_t>(out.size()) > impl_->tokens) {
    throw failure("{}: {} tokens from {} on, and there are {}", impl_->prefix.string(), out.size(), start,
                  impl_->tokens);
  }
  impl_->copy(start, out);
}

std::string TokenStore::sha256() const {
  Sha256 hash;
  hash.update(impl_->bin.bytes());
  hash.update(impl_->idx.bytes());
  return hash.hex();
}

}  // namespace btm
