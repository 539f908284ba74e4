#include "btm/report/model_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace btm {
namespace {

constexpr std::size_t kMost = 3;  // names in a line

}  // namespace

std::string domains_of(const Json& model) {
  Json domains = model.value("domains", Json::array());
  if (domains.size() > kMost) return fmt::format("{} domains", domains.size());
  std::vector<std::string> names = domains;
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string parents_of(const Json& model) {
  std::vector<std::pair<double, std::string>> parents;
  for (const Json& parent : model.value("parents", Json::array())) {
    if (double weight = parent.at("weight"); weight > 0) parents.emplace_back(-weight, parent.at("name"));
  }
  std::stable_sort(parents.begin(), parents.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (std::size_t i = 0; i < std::min(parents.size(), kMost); ++i) {
    text += fmt::format("{}{:.3g} {}", i > 0 ? " + " : "", -parents[i].first, parents[i].second);
  }
  if (parents.size() > kMost) text += fmt::format(" + {} more", parents.size() - kMost);
  return text;
}

std::vector<const Json*> models_of(const Json& forest) {
  std::vector<const Json*> models;
  if (!forest.at("seed").is_null()) models.push_back(&forest.at("seed"));
  for (const char* list : {"comparisons", "experts"}) {
    for (const Json& model : forest.at(list)) models.push_back(&model);
  }
  return models;
}

}  // namespace btm
