#include "btm/model/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "btm/core/error.h"
#include "btm/core/mapped_file.h"

namespace btm {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::size_t kAlignment = 8;  // of the first tensor's bytes
constexpr const char* kMetadata = "__metadata__";
constexpr std::size_t kMaxDimensions = 32;
constexpr int kDeepest = 3;  // header, tensor, its shape: what is nested deeper would cost a stack frame a level

Error broken(const fs::path& path, const std::string& what) {
  return input_error("{}: broken safetensors file: {}", path.string(), what);
}

using Header = nlohmann::json;  // finds a name in logarithmic time, where Json, which keeps the order, looks at all

// Each top-level name once: the parser itself would keep the last of two without a word.
Header parse_header(const fs::path& path, std::string_view text) {
  std::set<std::string> names;
  std::string twice;
  auto check = [&](int depth, Header::parse_event_t event, Header& key) {
    if (depth == 1 && event == Header::parse_event_t::key) {
      const auto name = key.get<std::string>();
      if (std::ranges::any_of(name, [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
        throw broken(path,
                     "the name of a tensor holds control characters");  // which messages would carry to a terminal
      }
      if (!names.insert(name).second) twice = name;
    }
    if (depth > kDeepest) throw broken(path, "its header is nested too deep");
    return true;
  };
  Header header;
  try {
    header = Header::parse(text, check);
  } catch (const Header::exception&) {
    throw broken(path, "its header is not JSON");
  }
  if (!header.is_object()) throw broken(path, "its header is not a JSON object");
  if (!twice.empty()) throw broken(path, fmt::format("tensor {} is there twice", twice));
  return header;
}

// Appends a list of whole numbers >= 0; false for anything else.
bool read_counts(const Header& json, std::vector<std::int64_t>& counts) {
  if (!json.is_array()) return false;
  for (const Header& item : json) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
      return false;
    counts.push_back(item.get<std::int64_t>());
  }
  return true;
}

// Bytes of the whole tensor, or -1 if that is no number of bytes a file can have.
std::int64_t byte_count(const TensorInfo& tensor) {
  std::int64_t bytes = static_cast<std::int64_t>(byte_size(tensor.dtype));
  for (std::int64_t size : tensor.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return -1;
  }
  return bytes;
}

TensorView parse_tensor(const fs::path& path, const std::string& name, const Header& entry, std::string_view data) {
  auto wrong = [&](const std::string& what) { return broken(path, fmt::format("tensor {}: {}", name, what)); };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
    throw wrong("its entry lacks dtype, shape or data_offsets");
  }
  TensorView tensor;
  tensor.name = name;
  const Header& dtype = entry["dtype"];
  auto known = dtype.is_string() ? find_dtype(dtype.get<std::string>()) : std::nullopt;
  if (!known) throw input_error("{}: tensor {}: dtype {} is not supported", path.string(), name, dtype.dump());
  tensor.dtype = *known;
  if (!read_counts(entry["shape"], tensor.shape) || tensor.shape.size() > kMaxDimensions) {
    throw wrong("its shape is not a list of sizes");
  }
  std::vector<std::int64_t> range;
  if (!read_counts(entry["data_offsets"], range) || range.size() != 2 || range[0] > range[1]) {
    throw wrong("its data_offsets are not a pair begin <= end");
  }
  if (std::cmp_greater(range[1], data.size())) {
    throw wrong(fmt::format("its bytes end at {} of {}: the file is truncated; copy or download it again", range[1],
                            data.size()));
  }
  if (range[1] - range[0] != byte_count(tensor)) {
    throw wrong(fmt::format("it has {} bytes, but {} {} needs {}", range[1] - range[0], dtype.get<std::string>(),
                            shape_text(tensor.shape), byte_count(tensor)));
  }
  tensor.bytes = data.substr(static_cast<std::size_t>(range[0]), static_cast<std::size_t>(range[1] - range[0]));
  return tensor;
}

void check_coverage(const fs::path& path, const std::vector<TensorView>& tensors, std::string_view data) {
  const char* end = data.data();
  for (const TensorView& tensor : tensors) {
    if (tensor.bytes.data() != end) {
      throw broken(path, fmt::format("tensor {}: {}", tensor.name,
                                     tensor.bytes.data() < end ? "its bytes overlap with those of the tensor before"
                                                               : "there is a gap before its bytes"));
    }
    end += tensor.bytes.size();
  }
  auto surplus = data.size() - static_cast<std::size_t>(end - data.data());
  if (surplus) throw broken(path, fmt::format("{} bytes at its end belong to no tensor", surplus));
}

void check_metadata(const fs::path& path, const Json& metadata) {
  const bool texts = metadata.is_null() || (metadata.is_object() && std::ranges::all_of(metadata, &Json::is_string));
  if (!texts) throw broken(path, fmt::format("its {} is not a map of texts", kMetadata));
}

}  // namespace

Json torch_metadata() {
  return Json::object({{"format", "pt"}});
}

std::string safetensors_header(const std::vector<TensorInfo>& tensors, const Json& metadata) {
  Json header = {{kMetadata, metadata}};
  std::int64_t offset = 0;
  for (const TensorInfo& tensor : tensors) {
    std::int64_t end = offset + byte_count(tensor);
    header[tensor.name] = {
        {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

std::int64_t element_count(const TensorInfo& tensor) {
  std::int64_t count = 1;
  for (std::int64_t size : tensor.shape) count *= size;
  return count;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

SafetensorsFile open_safetensors(const fs::path& path, std::uint64_t max_header) {
  SafetensorsFile result{path, MappedFile(path), {}, {}};
  std::string_view bytes = result.file.bytes();
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes) throw broken(path, fmt::format("it has only {} bytes", bytes.size()));
  std::memcpy(&length, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length > max_header)
    throw broken(path, fmt::format("a header of {} bytes; at most {} are allowed", length, max_header));
  if (length > bytes.size()) {
    throw broken(path,
                 fmt::format("a header of {} bytes, but only {} are there: the file is truncated; copy or download "
                             "it again",
                             length, bytes.size()));
  }
  const Header header = parse_header(path, bytes.substr(0, length));
  bytes.remove_prefix(length);
  if (const auto metadata = header.find(kMetadata); metadata != header.end()) result.metadata = Json(*metadata);
  check_metadata(path, result.metadata);
  for (const auto& [name, entry] : header.items()) {
    if (name != kMetadata) result.tensors.push_back(parse_tensor(path, name, entry, bytes));
  }
  std::ranges::stable_sort(result.tensors, [](const TensorView& a, const TensorView& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  check_coverage(path, result.tensors, bytes);
  return result;
}

SafetensorsWriter::SafetensorsWriter(const fs::path& path, const std::vector<TensorInfo>& tensors, const Json& metadata)
    : file_(path) {
  file_.write(safetensors_header(tensors, metadata));
  for (const TensorInfo& tensor : tensors) missing_ += static_cast<std::uint64_t>(byte_count(tensor));
}

void SafetensorsWriter::write(std::string_view bytes) {
  if (bytes.size() > missing_) throw failure("a safetensors file got {} bytes too many", bytes.size() - missing_);
  missing_ -= bytes.size();
  file_.write(bytes);
}

void SafetensorsWriter::publish() {
  if (missing_) throw failure("a safetensors file got {} bytes too few", missing_);
  file_.publish();
}

}  // namespace btm
