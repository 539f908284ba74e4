#include "btm/core/json.h"

#include "btm/core/files.h"
#include "btm/core/mapped_file.h"

template class nlohmann::basic_json<nlohmann::ordered_map>;
template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace btm {

bool same_content(const fs::path& file, const fs::path& other) {
  const MappedFile a(file), b(other);
  if (a.bytes() == b.bytes()) return true;
  const auto json = nlohmann::json::parse(a.bytes(), nullptr, false);  // not Json, to which the order of keys counts
  return !json.is_discarded() && json == nlohmann::json::parse(b.bytes(), nullptr, false);
}

}  // namespace btm
