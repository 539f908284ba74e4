// JSON whose objects keep the order of their keys.
#pragma once

#include <nlohmann/json.hpp>

// In json.cpp once, not in each file that uses it.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
extern template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace btm {

using Json = nlohmann::ordered_json;

}  // namespace btm
