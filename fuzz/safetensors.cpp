// A safetensors file: what its header says lies in the file.
#include "btm/model/safetensors.h"

#include <numeric>

#include "fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    const btm::fuzz::InputFile input(bytes);
    const btm::SafetensorsFile file = btm::open_safetensors(input.path());
    for (const btm::TensorView& tensor : file.tensors) {
      const auto count = static_cast<std::size_t>(btm::element_count(tensor));
      btm::fuzz::require(tensor.bytes.size() == count * btm::byte_size(tensor.dtype), "bytes of another shape");
      const std::string_view all = file.file.bytes();
      btm::fuzz::require(tensor.bytes.empty() || (tensor.bytes.data() >= all.data() &&
                                                  tensor.bytes.data() + tensor.bytes.size() <= all.data() + all.size()),
                         "bytes outside of the file");
    }
  });
}
