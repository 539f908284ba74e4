#include "btm/forest/curve.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "btm/core/files.h"

namespace btm {
namespace {

std::vector<Json> whole_lines(const fs::path& metrics) {
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
  std::vector<Json> updates = whole_lines(metrics);
  std::size_t group = (updates.size() + kCurvePoints - 1) / kCurvePoints;
  Json curve = Json::array();
  for (std::size_t first = 0; first < updates.size(); first += group) {
    curve.push_back(point_of(updates, first, std::min(updates.size(), first + group)));
  }
  return curve;
}

}  // namespace btm
