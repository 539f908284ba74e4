#include "btm/core/json.h"

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/mapped_file.h"

template class nlohmann::basic_json<nlohmann::ordered_map>;
template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace btm {
namespace {

constexpr int kDeepest = 64;

// Before it is parsed: ordered_json copies what it has where a key joins it.
bool is_deep(std::string_view text) {
  int level = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      i += c == '\\';  // what follows is of the string
      continue;
    }
    if ((c == '[' || c == '{') && ++level > kDeepest) return true;
    if (c == ']' || c == '}') --level;
  }
  return false;
}

}  // namespace

template <class J>
J parse_json_object(std::string_view text, const std::string& where) {
  if (is_deep(text)) throw input_error("{}: nested too deep, by more than {} levels", where, kDeepest);
  J json;
  try {
    json = J::parse(text);
  } catch (const typename J::exception& e) {
    throw input_error("{}: not valid JSON ({}); is the file whole?", where, e.what());
  }
  if (!json.is_object()) throw input_error("{}: not a JSON object", where);
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
