#include "btm/forest/expert.h"

#include <algorithm>
#include <cmath>

#include "btm/core/files.h"
#include "btm/core/hash.h"

namespace btm {
namespace {

std::string shown(const Json& value) {
  constexpr std::size_t kLongest = 60;  // characters; a list of hashes would drown the message
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);  // it may begin within a character
  return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

// Two texts from shortly before they part, so that what is cut off at the end is not what differs.
std::string shown_apart(const Json& there, const Json& here) {
  constexpr std::size_t kBefore = 20, kShort = 40;
  if (!there.is_string() || !here.is_string()) return fmt::format("{} there and {} here", shown(there), shown(here));
  const auto &a = there.get_ref<const std::string&>(), &b = here.get_ref<const std::string&>();
  const auto parts = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  const std::size_t first = parts > kShort ? parts - kBefore : 0;
  const auto from = [first](const std::string& text) { return shown((first > 0 ? "..." : "") + text.substr(first)); };
  return fmt::format("{} there and {} here", from(a), from(b));
}

std::string difference(const Json& there, const Json& here, const std::string& where) {
  if (there == here) return "";
  auto below = [&where](const std::string& key) { return where.empty() ? key : where + "." + key; };
  if (there.is_object() && here.is_object()) {
    for (const auto& [key, value] : there.items()) {
      if (!here.contains(key)) return fmt::format("{} is {} there and missing here", below(key), shown(value));
      if (std::string found = difference(value, here[key], below(key)); !found.empty()) return found;
    }
    for (const auto& [key, value] : here.items()) {
      if (!there.contains(key)) return fmt::format("{} is missing there and {} here", below(key), shown(value));
    }
    return "";  // the same keys in another order
  }
  if (there.is_array() && here.is_array() && there.size() == here.size()) {
    for (std::size_t i = 0; i < there.size(); ++i) {
      std::string found = difference(there[i], here[i], fmt::format("{}[{}]", where, i));
      if (!found.empty()) return found;
    }
  }
  return fmt::format("{} is {}", where.empty() ? "the recipe" : where, shown_apart(there, here));
}

}  // namespace

Json perplexity_of(const ExpertInfo& info) {
  return info.updates > 0 ? Json(std::exp(info.dev_loss)) : Json();
}

std::string recipe_sha256(const Json& recipe) {
  return sha256_hex(recipe.dump());
}

std::string recipe_difference(const Json& there, const Json& here) {
  if (std::string found = difference(there, here, ""); !found.empty()) return found;
  const auto order = [](const Json& recipe) {  // in which a model reads its domains
    std::vector<std::string> domains;
    const auto found = recipe.find("domains");
    if (found == recipe.end()) return domains;
    for (const auto& [domain, sha256] : found->items()) domains.push_back(domain);
    return domains;
  };
  if (order(there) == order(here)) return "";
  return fmt::format("the order of domains is {} there and {} here", fmt::join(order(there), ", "),
                     fmt::join(order(here), ", "));
}

Json expert_json(const ExpertInfo& info) {
  Json json = settings_json(info);
  if (info.imported) json["imported"] = settings_json(*info.imported);
  json["recipe"] = info.recipe;
  return json;
}

ExpertInfo expert_from_json(Json json, const std::string& name) {
  if (!json.is_object()) throw input_error("{}: must be a JSON object", name);
  ExpertInfo info;
  if (auto recipe = json.find("recipe"); recipe != json.end()) {
    info.recipe = *recipe;
    json.erase(recipe);
  }
  if (auto imported = json.find("imported"); imported != json.end()) {
    read_json_settings(*imported, info.imported.emplace(), name + ": imported");
    json.erase(imported);
  }
  read_json_settings(json, info, name);
  if (std::string hash = recipe_sha256(info.recipe); hash != info.recipe_sha256) {
    throw input_error("{}: the recipe has the hash {}, but recipe_sha256 is {}; restore the file from a copy", name,
                      hash, info.recipe_sha256);
  }
  return info;
}

bool is_published(const fs::path& folder) {
  return fs::exists(folder / kExpertFile);
}

ExpertInfo load_expert(const fs::path& folder) {
  const fs::path path = folder / kExpertFile;
  return expert_from_json(read_json_object(path), path.string());
}

void save_expert(const fs::path& folder, const ExpertInfo& info) {
  write_file(folder / kExpertFile, expert_json(info).dump(2) + "\n");
}

}  // namespace btm
