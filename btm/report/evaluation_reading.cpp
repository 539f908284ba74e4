#include "btm/report/evaluation_reading.h"

namespace btm {

std::vector<std::string> chosen_models(const Json& rows) {
  std::vector<std::string> chosen{"seed", "dense", "demix", "ensemble"};
  const Json* best = nullptr;
  auto quality = [](const Json& row) { return row.at("mean").at("all").at("bits_per_byte").get<double>(); };
  for (const Json& row : rows) {
    if (!row.at("model").get<std::string>().starts_with("average_")) continue;
    if (!best || quality(row) < quality(*best)) best = &row;
  }
  if (best) chosen.push_back(best->at("model"));
  return chosen;
}

std::string role_heading(const Json& domain) {
  return domain.at("role").get<std::string>() == "train" ? "train domains" : "novel domains";
}

}  // namespace btm
