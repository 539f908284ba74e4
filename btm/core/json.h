// JSON whose objects keep the order of their keys.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// In json.cpp once, not in each file that uses it.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
extern template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace btm {

using Json = nlohmann::ordered_json;

// An object; J: Json or nlohmann::json. Throw Error(input), naming `where` or the file, for what is no JSON, no object,
// or nested so deep that copying or comparing it could take all of the stack.
template <class J = Json>
J parse_json_object(std::string_view text, const std::string& where);
template <class J = Json>
J read_json_object(const std::filesystem::path& file);

// Whether two files have the same bytes or, if both are JSON, say the same: transformers writes a file anew, in other
// bytes, where it saves a model. Throws Error(input): one can't be read.
bool same_content(const std::filesystem::path& file, const std::filesystem::path& other);

}  // namespace btm
