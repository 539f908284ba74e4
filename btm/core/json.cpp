#include "btm/core/json.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/mapped_file.h"

template class nlohmann::basic_json<nlohmann::ordered_map>;
template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace btm {
namespace {

constexpr int kDeepest = 64;

template <class J>
bool is_deeper(const J& json, int levels) {
  if (!json.is_structured()) return false;
  return levels == 0 || std::any_of(json.begin(), json.end(), [&](const J& each) { return is_deeper(each, levels - 1); });
}

}  // namespace

template <class J>
J parse_json_object(std::string_view text, const std::string& where) {
  J json;
  try {
    json = J::parse(text);
  } catch (const typename J::exception& e) {
    throw input_error("{}: not valid JSON ({}); is the file whole?", where, e.what());
  }
  if (!json.is_object()) throw input_error("{}: not a JSON object", where);
  if (is_deeper(json, kDeepest)) throw input_error("{}: nested deeper than {} levels", where, kDeepest);
  return json;
}

template <class J>
J read_json_object(const fs::path& file) {
  return parse_json_object<J>(read_file(file), file.string());
}

template Json parse_json_object(std::string_view, const std::string&);
template nlohmann::json parse_json_object(std::string_view, const std::string&);
template Json read_json_object(const fs::path&);
template nlohmann::json read_json_object(const fs::path&);

bool same_content(const fs::path& file, const fs::path& other) {
  const MappedFile a(file), b(other);
  if (a.bytes() == b.bytes()) return true;
  try {  // not Json, to which the order of keys counts
    return parse_json_object<nlohmann::json>(a.bytes(), "") == parse_json_object<nlohmann::json>(b.bytes(), "");
  } catch (const Error&) {
    return false;
  }
}

}  // namespace btm
