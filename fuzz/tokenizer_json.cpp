// A tokenizer.json, and a text encoded with it.
#include "btm/data/tokenizer.h"
#include "fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    const btm::Tokenizer tokenizer = btm::Tokenizer::parse(bytes, "input");
    const std::vector<btm::TokenId> ids = tokenizer.encode("ab abc's \xc3\xa9\xcc\x81 1234\n\n\t<|endoftext|> x");
    for (const btm::TokenId id : ids) {
      btm::fuzz::require(id >= 0 && id < tokenizer.vocab_size(), "an id that is not of the vocabulary");
    }
    tokenizer.decode(ids, false);
  });
}
