#include "btm/forest/curve.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "btm/core/files.h"

namespace btm {
namespace {

std::vector<Json> read_updates(const fs::path& metrics) {
  std::vector<Json> updates;
  if (!fs::exists(metrics)) return updates;
  std::istringstream lines(read_file(metrics));
  for (std::string line; std::getline(lines, line);) {
    Json update = Json::parse(line, nullptr, false);
    auto number = [&update](const char* key) { return update.contains(key) && update[key].is_number(); };
    if (update.is_object() && number("tokens") && number("loss")) updates.push_back(std::move(update));
  }
  return updates;
}

Json point_of(const std::vector<Json>& updates, std::size_t first, std::size_t last) {
  Json point = {{"tokens", updates[last - 1]["tokens"]}, {"loss", 0.0}};
  double sum = 0;
  for (std::size_t i = first; i < last; ++i) {
    sum += updates[i]["loss"].get<double>();
    if (updates[i].contains("dev_loss")) point["dev_loss"] = updates[i]["dev_loss"];
  }
  point["loss"] = sum / static_cast<double>(last - first);
  return point;
}

}  // namespace

Json training_curve(const fs::path& metrics) {
  constexpr double kPoints = 100;  // at most, more or less
  std::vector<Json> updates = read_updates(metrics);
  auto count = static_cast<double>(updates.size());
  double factor = std::pow(count, 1 / kPoints);
  Json curve = Json::array();
  for (std::size_t first = 0, last = 0; first < updates.size(); first = last) {
    auto grown = static_cast<std::size_t>(std::llround(factor * static_cast<double>(first)));
    last = std::clamp(grown, first + 1, updates.size());
    curve.push_back(point_of(updates, first, last));
  }
  return curve;
}

}  // namespace btm
