// Files of named tensors in Hugging Face's safetensors format: a length, a JSON header, the numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/mapped_file.h"
#include "btm/core/settings.h"
#include "btm/model/dtype.h"

namespace btm {

struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
};

std::int64_t element_count(const TensorInfo& tensor);
std::string shape_text(const std::vector<std::int64_t>& shape);  // "[2, 3]"

struct TensorView : TensorInfo {
  std::string_view bytes;  // in the mapped file; not aligned
};

struct SafetensorsFile {
  std::filesystem::path path;
  MappedFile file;
  std::vector<TensorView> tensors;  // in the order of their bytes
  Json metadata;                    // of texts by name; null if the file has none
};

inline constexpr std::uint64_t kMaxHeader = 100'000'000;  // bytes; as in Hugging Face's reader

// Maps the file and checks the whole header: every tensor's bytes lie in the file, have the size of its shape and
// dtype, don't overlap, and leave no gap. Throws Error(input) naming file and tensor.
SafetensorsFile open_safetensors(const std::filesystem::path& path, std::uint64_t max_header = kMaxHeader);

Json torch_metadata();  // what transformers asks for before it reads a file

// All that comes before the tensors' bytes, which lie in the given order.
std::string safetensors_header(const std::vector<TensorInfo>& tensors, const Json& metadata = torch_metadata());

// Writes the tensors' bytes one after the other, in pieces of any size. The file appears whole with publish().
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<TensorInfo>& tensors,
                    const Json& metadata = torch_metadata());
  void write(std::string_view bytes);
  void publish();  // throws Error(failed) if fewer or more bytes came than the tensors have

 private:
  FileWriter file_;
  std::uint64_t missing_ = 0;  // bytes still to come
};

}  // namespace btm
