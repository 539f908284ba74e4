// A bundle, given the right hash at its end: what a sender can make whole who means harm.
#include "btm/forest/bundle.h"

#include <string>

#include "btm/core/hash.h"
#include "fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    if (bytes.size() < btm::kSealSize) return;
    const std::string_view sealed = bytes.substr(0, bytes.size() - btm::kSealSize);
    const btm::fuzz::InputFile input(std::string(sealed) + btm::sha256_hex(sealed));
    const btm::Bundle bundle = btm::open_bundle(input.path());
    for (const btm::TensorView& tensor : bundle.weights) {
      const std::string_view all = bundle.file.file.bytes();
      btm::fuzz::require(tensor.bytes.empty() || (tensor.bytes.data() >= all.data() &&
                                                  tensor.bytes.data() + tensor.bytes.size() <= all.data() + all.size()),
                         "weights outside of the file");
    }
    btm::parse_manifest(btm::manifest_text(bundle.manifest, "again"), "again");  // it can be handed on
  });
}
