#include "btm/mixture/member.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "btm/core/error.h"
#include "btm/core/hash.h"
#include "btm/model/checkpoint.h"

namespace btm {

Member single_member(const std::string& name, const std::filesystem::path& folder, const std::string& weights_sha256) {
  return {name, {{folder, 1, name, weights_sha256}}, weights_sha256};
}

std::vector<Member> expert_members(const Forest& forest) {
  std::vector<Member> members;
  for (const ExpertInfo& expert : forest.experts) {
    members.push_back(single_member(expert.name, forest.paths.expert(expert.name), expert.weights_sha256));
  }
  return members;
}

std::optional<Member> seed_member(const Forest& forest) {
  if (!forest.seed) return std::nullopt;
  return single_member(kSeedName, forest.paths.seed(), forest.seed->weights_sha256);
}

Member average_member(const std::string& name, std::span<const Member> members, std::span<const double> weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!(sum > 0) || !std::isfinite(sum))
    throw input_error("{}: its weights sum to {}, where a finite number over 0 is needed", name, sum);
  Member average{name, {}, {}};
  std::string identity = "average";
  for (std::size_t j = 0; j < members.size(); ++j) {
    if (weights[j] == 0) continue;
    average.sources.push_back(
        {members[j].sources.front().folder, weights[j] / sum, members[j].name, members[j].identity});
    identity += fmt::format("\n{} {}", members[j].identity, weights[j] / sum);
    average.identity = members[j].identity;
  }
  if (average.sources.size() > 1) average.identity = sha256_hex(identity);
  return average;
}

Model load_member(const Member& member) {
  if (member.sources.size() == 1) return map_model(member.sources.front().folder);
  ModelConfig config;
  std::vector<double> sum;
  for (const auto& [folder, weight, name, sha256] : member.sources) {
    Model model = map_model(folder);
    config = model.config;
    if (sum.empty()) sum.resize(model.parameters.size());
    if (model.parameters.size() != sum.size()) {
      throw input_error("{}: {} parameters, but the models before it have {}: unequal shapes can't be averaged",
                        folder.string(), model.parameters.size(), sum.size());
    }
    const float* parameters = model.parameters.data();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * parameters[i];
  }
  Model average{config, Buffer(sum.size())};
  for (std::size_t i = 0; i < sum.size(); ++i) average.parameters.data()[i] = static_cast<float>(sum[i]);
  return average;
}

}  // namespace btm
