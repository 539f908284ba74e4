// A Megatron-LM token index: two bytes that say how long its .bin is (of zeros), then the .idx.
#include <unistd.h>

#include <array>
#include <string>

#include "btm/data/token_store.h"
#include "fuzz/input.h"

namespace {

namespace fs = std::filesystem;

// PREFIX.bin and PREFIX.idx that lead to files in memory.
class StoreFiles {
 public:
  StoreFiles(std::string_view bin, std::string_view idx) : bin_(bin), idx_(idx) {
    fs::create_symlink(bin_.path(), folder_ / "input.bin");
    fs::create_symlink(idx_.path(), folder_ / "input.idx");
  }
  ~StoreFiles() { fs::remove_all(folder_); }
  StoreFiles(const StoreFiles&) = delete;
  StoreFiles& operator=(const StoreFiles&) = delete;
  fs::path prefix() const { return folder_ / "input"; }

 private:
  static fs::path make_folder() {
    std::string pattern = "/dev/shm/btm-fuzz-XXXXXX";
    btm::fuzz::require(::mkdtemp(pattern.data()) != nullptr, "no folder in memory");
    return pattern;
  }
  fs::path folder_ = make_folder();
  btm::fuzz::InputFile bin_, idx_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    if (bytes.size() < 2) return;
    const auto low = static_cast<std::uint8_t>(bytes[0]), high = static_cast<std::uint8_t>(bytes[1]);
    const StoreFiles files(std::string(low + 256U * high, '\0'), bytes.substr(2));
    const btm::TokenStore store(files.prefix());
    std::vector<btm::TokenId> tokens(static_cast<std::size_t>(store.tokens()));
    store.copy_stream(0, tokens);
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < store.documents(); ++i) {
      const std::int64_t length = store.length(i);
      btm::fuzz::require(length >= 0 && length <= store.tokens(), "a document longer than all of them");
      store.copy(i, 0, std::span(tokens).first(static_cast<std::size_t>(length)));
      sum += length;
    }
    btm::fuzz::require(sum == store.tokens(), "tokens of no document, or of two");
  });
}
