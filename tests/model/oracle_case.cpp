#include "tests/model/oracle_case.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "tests/support/temporary_folder.h"

namespace btm::test {
namespace {

class Arrays {
 public:
  Arrays(const Json& entries, std::string bytes) : bytes_(std::move(bytes)) {
    for (const Json& entry : entries) entries_[entry["name"]] = entry;
  }
  template <class T>
  std::vector<T> get(const std::string& name) const {
    const Json& entry = entries_.at(name);
    std::size_t count = 1;
    for (std::size_t extent : entry["shape"]) count *= extent;
    std::vector<T> values(count);
    std::memcpy(values.data(), bytes_.data() + entry["offset"].get<std::size_t>(), count * sizeof(T));
    return values;
  }

 private:
  std::map<std::string, Json> entries_;
  std::string bytes_;
};

Json manifest() {
  return Json::parse(read(oracle_folder() / "cases.json"));
}

OracleCase read_case(const Json& json) {
  std::string name = json["name"];
  Arrays arrays(json["arrays"], read(oracle_folder() / (name + ".bin")));
  OracleCase c;
  c.name = name;
  c.model.config = from_hugging_face(json["config"], name);
  c.model.parameters = Buffer(static_cast<std::size_t>(parameter_count(c.model.config)));
  for (const auto& slice : parameter_layout(c.model.config)) {
    auto values = arrays.get<float>("weight:" + slice.name);
    if (static_cast<std::int64_t>(values.size()) != slice.size) throw failure("{}: {}", name, slice.name);
    std::copy(values.begin(), values.end(), c.model.parameters.data() + slice.offset);
    c.gradients[slice.name] = arrays.get<float>("gradient:" + slice.name);
  }
  c.sequences = json["sequences"];
  c.length = json["length"];
  c.scale = json["scale"];
  c.tokens = arrays.get<TokenId>("tokens");
  c.targets = arrays.get<TokenId>("targets");
  c.logits = arrays.get<float>("logits");
  c.log_probs = arrays.get<float>("log_probs");
  return c;
}

}  // namespace

const OracleCase& oracle_case(std::string_view name) {
  static std::map<std::string, OracleCase, std::less<>> cases;
  if (auto found = cases.find(name); found != cases.end()) return found->second;
  for (const Json& json : manifest()) {
    if (json["name"].get<std::string>() == name) return cases.emplace(name, read_case(json)).first->second;
  }
  throw failure("no oracle case {}", name);
}

}  // namespace btm::test
