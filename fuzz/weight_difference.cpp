// The packed difference of a bundle, against weights of zeros: a byte that says how many.
#include "btm/model/weight_difference.h"

#include <string>

#include "fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    if (bytes.empty()) return;
    const std::string base(4 * static_cast<std::uint8_t>(bytes[0]), '\0');
    std::string values;
    btm::unpack_difference(bytes.substr(1), base, "input", [&](std::string_view block) { values += block; });
    btm::fuzz::require(values.size() == base.size(), "weights of another shape");
    std::string packed, again;
    btm::pack_difference(values, base, [&](std::string_view frame) { packed += frame; });
    btm::unpack_difference(packed, base, "again", [&](std::string_view block) { again += block; });
    btm::fuzz::require(again == values, "packed and unpacked gives other weights");
  });
}
