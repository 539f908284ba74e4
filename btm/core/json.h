// JSON whose objects keep the order of their keys.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

// In json.cpp once, not in each file that uses it.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
extern template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace btm {

using Json = nlohmann::ordered_json;

// Whether two files have the same bytes or, if both are JSON, say the same: transformers writes a file anew, in other
// bytes, where it saves a model. Throws Error(input): one can't be read.
bool same_content(const std::filesystem::path& file, const std::filesystem::path& other);

}  // namespace btm
